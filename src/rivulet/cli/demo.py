"""Run the matrix of config/demo.yaml, with progress, and print what came out."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rivulet.benchmark.table import read_rows
from rivulet.cli.options import described
from rivulet.cli.summary import summary_lines
from rivulet.jobs.progress import duration

RESULTS = Path("results")
# Snakemake's notes on its own scheduling, which say nothing about the experiment.
NOISE = re.compile(
    r"(Using (workflow|shell)|Assuming |Building DAG|Provided |Rules claiming|Conda env|"
    r"Select jobs|Execute \d+ jobs|Finished jobid|\[\w{3} \w{3} +\d+ |Complete log|Elapsed time|"
    r"RuleException|CalledProcessError in|Command '|"  # the job itself said what was wrong
    r"host: |Job stats|job +count|-{5,}|\w+ +\d+$|$)"
)


def show_progress(lines: Iterable[str], started: float) -> None:
    """Pass on what says something about the experiment, with the time since the start."""
    for line in lines:
        if not NOISE.match(line):
            print(f"{duration(time.monotonic() - started):>6}  {line}", end="", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("demo", __doc__)
    parser.add_argument("--configfile", type=Path, default=Path("config/demo.yaml"))
    parser.add_argument("--cores", default="all", help="cores for Snakemake")
    options, more = parser.parse_known_args(arguments)
    started = time.monotonic()
    command = [
        sys.executable, "-m", "snakemake", "--cores", options.cores,
        "--configfile", str(options.configfile), "--quiet", "rules", "host", "reason", *more,
    ]  # fmt: skip
    print(
        f"running the matrix of {options.configfile}; what goes on, and how far it is:", flush=True
    )
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1
    ) as process:
        assert process.stdout is not None
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
    rows = read_rows(RESULTS / "benchmarks.csv")
    print("\n".join(summary_lines(rows)) if rows else "no pairs in this matrix")
    print(f"\ndone in {duration(time.monotonic() - started)}")
    print(f"report: {(RESULTS / 'report.html').resolve()}")
    print(f"table:  {(RESULTS / 'benchmarks.csv').resolve()}")
    return 0
