"""Take models through that users export, as both of PyTorch's exporters write them.

Each file is made and judged in a process of its own with a bound on memory and time. Rows that are
in the table already are kept, so the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil

from rivulet.cli.options import pattern_argument
from rivulet.conformance.exported.exporting import EXPORTERS
from rivulet.conformance.exported.judging import UNCLEAR, Row
from rivulet.conformance.exported.samples import SAMPLES, Sample
from rivulet.conformance.exported.table import BEGIN, END, export_table, totals
from rivulet.errors import UserError
from rivulet.hardware.cpu import cpu_info, usable_cpus
from rivulet.jobs.bounded import run_bounded
from rivulet.tables import put_between, read_own_table, write_table

PAGE = Path("docs/exported_models.md")
WORKER = "rivulet.conformance.exported.worker"
RELEASES = (
    "torch", "torchvision", "timm", "transformers", "onnxscript", "onnx", "onnxruntime",
    "apache-tvm",
)  # fmt: skip


def judge_apart(sample: Sample, exporter: str, limits: argparse.Namespace) -> Row:
    """One row, from a process that may crash, hang or need too much."""
    with tempfile.TemporaryDirectory(prefix="rivulet-exported-") as folder:
        command = [sys.executable, "-m", WORKER, sample.name, exporter, folder]
        problem = run_bounded(command, limits.timeout, limits.memory_gib).problem
        if problem:
            return Row(sample.name, sample.package, exporter, UNCLEAR, message=problem)
        return Row(**json.loads((Path(folder) / "row.json").read_text()))


def made_with() -> list[str]:
    """Lines on the day, the machine and the releases."""
    releases = ", ".join(f"{name} {version(name)}" for name in RELEASES)
    return [
        f"Date: {date.today()}",
        f"Machine: {cpu_info()[0]}, {usable_cpus()} cores, of which a model takes one",
        f"Packages: {releases}",
    ]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="rivulet exported-models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", type=pattern_argument, default="", metavar="REGEX",
        help="files whose MODEL-EXPORTER matches")  # fmt: skip
    add(
        "--out", type=Path, required=True, metavar="TABLE.csv", help="table to write and go on with"
    )
    add("--write", action="store_true", help=f"put the table into {PAGE.name}")
    add("--timeout", type=float, default=600, metavar="S",
        help="seconds for a file (default: %(default)g)")  # fmt: skip
    add("--memory-gib", type=float, default=psutil.virtual_memory().total / 2**30 * 0.8,
        metavar="GIB", help="memory for a file (default: 80 %% of the machine's)")  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the files; 1 if any is wrong or ends in any other way."""
    options = parse(arguments)
    files = {(sample.name, exporter): sample for sample in SAMPLES for exporter in EXPORTERS}
    rows = {(row.model, row.exporter): row for row in read_own_table(Row, options.out)}
    for key, sample in files.items():
        if key in rows or not options.only.search("-".join(key)):
            continue
        row = rows[key] = judge_apart(sample, key[1], options)
        write_table(Row, rows.values(), options.out)
        print(f"{'-'.join(key)}: {row.result} {row.message or row.error}", flush=True)
    chosen = [rows[key] for key in files if key in rows]
    if options.write and len(chosen) < len(files):
        raise UserError(
            f"--write: {options.out} has {len(chosen)} of {len(files)} files, and {PAGE.name} "
            "would lose the others; leave out --only"
        )
    if options.write:
        put_between(PAGE, BEGIN, END, export_table(chosen, made_with()))
    count = totals(chosen)
    print(", ".join(f"{number} {result}" for result, number in count.items()))
    return 1 if count["wrong"] or count["unclear"] else 0
