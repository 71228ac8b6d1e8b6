"""What the table of all kernels shows: each kernel of each target by method, small enough to embed.

A target's own methods stand in the tables of all of its pairs. One pair speaks for a target, the
pool's where there is one: with all pairs the page of a large matrix would weigh hundreds of
megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet.benchmark.kernel_rows import KernelRow
from rivulet.errors import UserError
from rivulet.methods import ANSOR, method_of
from rivulet.paths import BENCHMARK_KERNELS, POOL, RESULTS, compiled_of
from rivulet.tables import read_table

COLUMNS: list[dict[str, Any]] = [
    {"name": "kernel", "title": "Kernel", "head": True, "link": True},
    {"name": "target", "title": "Target"},
    {"name": "method", "title": "Method"},
    {"name": "class", "title": "Class"},
    {"name": "trials", "title": "Trials", "number": True},
    {"name": "hardware", "title": "Hardware"},
    {"name": "runs", "title": "Runs", "number": True},
    {"name": "latency_us", "title": "Latency\nµs", "number": True},
    {"name": "share_of_model", "title": "Share of\nthe model", "number": True, "share": True},
    {"name": "gflops", "title": "GFLOP/s", "number": True},
    {"name": "share_of_peak", "title": "Share of\npeak", "number": True, "share": True},
    {"name": "share_of_roof", "title": "Share of\nroof", "number": True, "share": True},
    {"name": "bound", "title": "Bound by"},
]
FILTERS = ("target", "method", "class", "trials", "hardware", "bound")
_TEXTS = ("kernel", "target", "method", "class", "hardware", "bound")


def speaking_tables(tables: Sequence[Path]) -> list[Path]:
    """One kernel table for each target, trial count and hardware.

    Args:
        tables: ``.../benchmarks/{log}-{trials}/kernels/{source}-to-{target}.csv`` files.
    """
    best: dict[tuple[str, ...], tuple[tuple[bool, bool], Path]] = {}
    for path in sorted(tables):
        found = (BENCHMARK_KERNELS + ".csv").parse(path)
        if found is None:
            raise UserError(f"{path}: its folders do not say which pair's kernels it has")
        key = (found["hardware"], found["trials"], found["target"])
        of_pool = found["source"] == POOL
        rank = (of_pool, of_pool and found["log_kind"] == ANSOR)
        if key not in best or rank > best[key][0]:
            best[key] = (rank, path)
    return sorted(path for _, path in best.values())


def kernel_data(tables: Sequence[Path], results: Path) -> dict[str, Any]:
    """The table's content, JSON-ready: texts are numbers of a list of names.

    Args:
        tables: Kernel tables of pairs.
        results: Folder of the report; schedules are linked from there.

    Raises:
        UserError: One is not readable.
    """
    lines = [line for path in tables for line in read_table(KernelRow, path)]
    names: list[dict[Any, int]] = [{} for _ in COLUMNS]
    pages: dict[str, int] = {}
    rows = []
    for line in lines:
        row: list[Any] = []
        for number, (column, value) in enumerate(zip(COLUMNS, _values(line), strict=True)):
            if column["name"] in _TEXTS:
                value = names[number].setdefault(value, len(names[number]))
            row.append(value)
        page = schedule_page(line)
        row.append(
            pages.setdefault(page, len(pages)) if page and (results / page).exists() else None
        )
        rows.append(row)
    return {
        "columns": COLUMNS,
        "names": [
            list(found) if column["name"] in _TEXTS else None
            for column, found in zip(COLUMNS, names, strict=True)
        ],
        "rows": rows,
        "pages": list(pages),
    }


def _values(line: KernelRow) -> tuple[Any, ...]:
    """In the order of the columns."""
    return (
        line.kernel, line.target, line.method, line.kernel_class, line.trials, line.hardware,
        line.runs, line.latency_us, line.share_of_model, line.gflops, line.share_of_peak,
        line.share_of_roof, line.bound,
    )  # fmt: skip


def schedule_page(line: KernelRow) -> str:
    """Page with the schedule of a kernel, from the report's folder; empty where there is none."""
    method = method_of(line.method)
    if not method.has_log:
        return ""
    place = (compiled_of(method) + ".html").at(
        hardware=line.hardware,
        trials=line.trials,
        model=line.target,
        target=line.target,
        source=line.source,
        log_kind=line.log,
    )
    return place.removeprefix(f"{RESULTS}/")
