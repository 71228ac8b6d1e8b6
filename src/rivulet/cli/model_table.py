"""Export models of torchvision, extract their kernels, and write a table of what came out.

Each model goes through the workflow's own two jobs, each in a process of its own with a bound
on memory and time; its files are removed before the next model's turn. Rows that are in the table
already are kept, so the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rivulet import paths
from rivulet.config.torchvision_names import classification_models
from rivulet.jobs.bounded import Bounded, run_bounded
from rivulet.jobs.progress import duration
from rivulet.provenance import read_record
from rivulet.tables import put_between, read_own_table, write_table

OTHER_SIZES = {"inception_v3": 299}
SIZE = 224
# Errors against ONNX Runtime up to this are counted; it is the config's tolerance that judges.
CLOSE = 1e-4
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"


@dataclass(frozen=True)
class ModelRow:
    """One model of the table; what a model that fails does not have is empty."""

    model: str
    input: str
    parameters: int | str = ""
    kernels: int | str = ""
    classes: int | str = ""
    gflop: float | str = ""
    transposes_inside: int | str = ""
    transposes_written: int | str = ""
    weight_only_kernels: int | str = ""
    max_rel_error: float | str = ""
    export_seconds: float | str = ""
    export_gib: float | str = ""
    extract_seconds: float | str = ""
    extract_gib: float | str = ""
    error: str = ""


def make_row(name: str, limits: argparse.Namespace, folder: Path) -> ModelRow:
    """Take one model through both jobs."""
    size = OTHER_SIZES.get(name, SIZE)
    shape = [1, 3, size, size]
    facts: dict[str, Any] = {"model": name, "input": "x".join(map(str, shape))}
    config = {
        "models": {name: {"torchvision": name, "shape": shape}},
        "hardware": {"local": {"threads": limits.threads or "auto"}},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # which is YAML too

    def run(stage: str) -> Bounded:
        command = [
            sys.executable, "-m", "rivulet", stage, "--configfile", "config.yaml", "--model", name,
        ]  # fmt: skip
        return run_bounded(command, limits.timeout, limits.memory_gib, folder)

    seconds, peak, problem = run("export")
    if problem:
        return ModelRow(**facts, error=f"export: {reason_in(problem, name)}")
    results = folder / paths.RESULTS
    exported = read_record((paths.MODEL + ".json").below(results, model=name)).facts
    facts |= {
        "parameters": exported["parameters"],
        "export_seconds": round(seconds, 1), "export_gib": round(peak, 2),
    }  # fmt: skip
    seconds, peak, problem = run("kernels")
    if problem:
        return ModelRow(**facts, error=f"kernels: {reason_in(problem, name)}")
    kernels = (paths.KERNELS + ".json").below(results, hardware="local", model=name)
    found = read_record(kernels).facts
    return ModelRow(
        **facts, kernels=found["kernels"], classes=found["classes"], gflop=found["gflop"],
        transposes_inside=found["transposes_inside"],
        transposes_written=found["transposes_written"],
        weight_only_kernels=found["weight_only_kernels"],
        max_rel_error=float(f"{found['max_rel_error_against_onnxruntime']:.2e}"),
        extract_seconds=round(seconds, 1), extract_gib=round(peak, 2),
    )  # fmt: skip


def reason_in(problem: str, name: str) -> str:
    """The reason within a job's last words, without its label and the log's path."""
    return problem.split(f" {name}: ", 1)[-1].split(" (log: ", 1)[0]


def markdown(rows: Sequence[ModelRow]) -> str:
    """The table as Markdown, between its marks."""
    good = [row for row in rows if not row.error]
    close = sum(float(row.max_rel_error) <= CLOSE for row in good)
    lines = [
        BEGIN, "",
        f"{len(good)} of {len(rows)} models give kernels; the outputs of {close} are within "
        f"{CLOSE:g} of ONNX Runtime's.", "",
        "| model | input | parameters, millions | kernels | classes | GFLOP | transposes "
        "| written | of weights alone | error | export s | extraction s | memory GiB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in good:
        memory = max(float(row.export_gib), float(row.extract_gib))
        lines.append(
            f"| {row.model} | {row.input} | {int(row.parameters) / 1e6:.1f} | {row.kernels} "
            f"| {row.classes} | {float(row.gflop):.2f} "
            f"| {row.transposes_inside} | {row.transposes_written} | {row.weight_only_kernels} "
            f"| {float(row.max_rel_error):.1e} | {float(row.export_seconds):.0f} "
            f"| {float(row.extract_seconds):.0f} | {memory:.1f} |"
        )
    if len(good) < len(rows):
        lines += ["", "| model | why not |", "|---|---|"]
        lines += [f"| {row.model} | {row.error} |" for row in rows if row.error]
    return "\n".join([*lines, "", END])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="rivulet model-table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--models", nargs="+", default=["all"], metavar="NAME",
        help="torchvision's names, or 'all' (default)")  # fmt: skip
    add(
        "--out", type=Path, required=True, metavar="TABLE.csv", help="table to write and go on with"
    )
    add("--markdown", type=Path, metavar="FILE.md",
        help=f"put the table between '{BEGIN}' and '{END}' in this file, too")  # fmt: skip
    add("--again", nargs="*", metavar="NAME",
        help="make these models' rows anew; of those that failed, when none is named")  # fmt: skip
    add("--threads", type=int, default=0, help="threads of the target (default: all cores)")
    add("--timeout", type=float, default=3600, metavar="S",
        help="seconds for a command (default: %(default)g)")  # fmt: skip
    add("--memory-gib", type=float, default=psutil.virtual_memory().total / 2**30 * 0.8,
        metavar="GIB", help="memory for a command (default: 80 %% of the machine's)")  # fmt: skip
    add("--work", type=Path, metavar="FOLDER",
        help="where models lie while it is their turn (default: a temporary folder)")  # fmt: skip
    options = parser.parse_args(arguments)
    known = classification_models()
    if options.models == ["all"]:
        options.models = known
    if unknown := sorted({*options.models, *(options.again or ())} - set(known)):
        parser.error(f"no classification model of torchvision: {', '.join(unknown)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with the model's files removed
    rows = {row.model: row for row in read_own_table(ModelRow, options.out)}
    if options.again is not None:
        gone = options.again or [name for name, row in rows.items() if row.error]
        rows = {name: row for name, row in rows.items() if name not in gone}
    todo = [name for name in options.models if name not in rows]
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for number, name in enumerate(todo, 1):
        folder = Path(tempfile.mkdtemp(prefix="rivulet-models-", dir=options.work))
        try:
            row = rows[name] = make_row(name, options, folder)
        finally:
            shutil.rmtree(folder)
        partial = options.out.with_name(f"{options.out.name}.partial")
        write_table(ModelRow, [rows[name] for name in sorted(rows)], partial)
        partial.replace(options.out)
        what = row.error or (
            f"{row.kernels} kernels in {row.classes} classes, {row.gflop:.2f} GFLOP; export "
            f"{row.export_seconds} s, extraction {row.extract_seconds} s"
        )
        passed = duration(time.monotonic() - started)
        print(f"{passed:>8} {number}/{len(todo)} {name}: {what}", flush=True)
    chosen = [rows[name] for name in sorted(options.models)]
    if options.markdown:
        put_between(options.markdown, BEGIN, END, markdown(chosen))
    failed = sum(bool(row.error) for row in chosen)
    print(f"{len(chosen) - failed} of {len(chosen)} models give kernels; table: {options.out}")
    return 0
