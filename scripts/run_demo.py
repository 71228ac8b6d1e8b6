#!/usr/bin/env python3
"""Run the matrix of config/demo.yaml, with progress, and print what came out."""

import argparse
import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import _bootstrap  # noqa: F401
import show_summary
from rivulet.benchmark.table import read_rows
from rivulet.jobs.progress import duration

ROOT = Path(__file__).resolve().parent.parent
# Snakemake's notes on its own scheduling, which say nothing about the experiment.
NOISE = re.compile(
    r"(Using (workflow|shell)|Assuming |Building DAG|Provided |Rules claiming|Conda env|"
    r"Select jobs|Execute \d+ jobs|Finished jobid|\[\w{3} \w{3} +\d+ |Complete log|Elapsed time|"
    r"RuleException|CalledProcessError in|Command '|"  # the job itself said what was wrong
    r"host: |Job stats|job +count|-{5,}|\w+ +\d+$|$)"
)


def show_progress(lines, started):
    """Pass on what says something about the experiment, with the time since the start."""
    for line in lines:
        if not NOISE.match(line):
            print(f"{duration(time.monotonic() - started):>6}  {line}", end="", flush=True)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, default=Path("config/demo.yaml"))
    parser.add_argument("--cores", default="all", help="cores for Snakemake")
    options, more = parser.parse_known_args()
    started = time.monotonic()
    command = [
        sys.executable, "-m", "snakemake", "--cores", options.cores,
        "--configfile", str(options.configfile), "--quiet", "rules", "host", "reason", *more,
    ]  # fmt: skip
    print(
        f"running the matrix of {options.configfile}; what goes on, and how far it is:", flush=True
    )
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1
    ) as process:
        try:
            show_progress(process.stdout, started)
        except KeyboardInterrupt:
            # The jobs got the signal too; let them end in order and say so.
            with contextlib.suppress(KeyboardInterrupt):
                show_progress(process.stdout, started)
    if process.returncode:
        print(
            "the run did not finish; the lines above say which job and where its log is. What was "
            "measured is kept: the same command goes on from there.", file=sys.stderr,
        )  # fmt: skip
        return process.returncode
    print()
    rows = read_rows(ROOT / "results/benchmarks.csv")
    print("\n".join(show_summary.summary_lines(rows)) if rows else "no pairs in this matrix")
    print(f"\ndone in {duration(time.monotonic() - started)}")
    print(f"report: {ROOT / 'results/report.html'}")
    print(f"table:  {ROOT / 'results/benchmarks.csv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
