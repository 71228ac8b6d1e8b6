"""The page: sentences, tables and figures, worked out from the inputs and put in the template."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from rivulet.measure.ratios import SAME
from rivulet.measure.roofline import RoofRow
from rivulet.methods import TRANSFER, method_of, moves
from rivulet.report.blocks import Block, Line, blocks_of, fastest_method, origin
from rivulet.report.coverage import coverage_of
from rivulet.report.droplet import droplet_worth
from rivulet.report.environments import environments, most_lost
from rivulet.report.heat import heat_data
from rivulet.report.inputs import (
    BenchmarkRow,
    ReportInputs,
    Setting,
    confidence_of,
    read_benchmarks,
    read_history,
    read_kernels,
    read_pair_records,
    read_transfer,
)
from rivulet.report.kernel_table import COLUMNS as KERNEL_COLUMNS
from rivulet.report.kernel_table import FILTERS, kernel_data, speaking_tables
from rivulet.report.machines import side_by_side
from rivulet.report.plots import Cell, Measured, heat_map, latency_chart
from rivulet.report.rankings import rankings
from rivulet.report.reading import grouped, read_rows
from rivulet.report.search_time import search_times
from rivulet.report.summary import overall, sentences, warnings
from rivulet.report.sweep import sweeps
from rivulet.report.templates import FOLDER, embedded_json, environment, style
from rivulet.report.verdicts import OVER_ANSOR, verdict
from rivulet.report.wording import (
    percent,
    range_text,
    share,
)

# More in one figure could not be told apart, and the page of a large matrix would be slow.
_MOST_TRANSFERS, _MOST_RUNS = 12, 12


def build_report(inputs: ReportInputs, made: datetime | None = None) -> str:
    """Build the report.

    Args:
        inputs: Files and facts to report.
        made: Time to write on the page; now by default.

    Returns:
        One HTML page that needs nothing besides itself.

    Raises:
        UserError: An input is not readable.
    """
    rows = read_benchmarks(inputs.benchmarks)
    records = read_pair_records(inputs.pair_records)
    transfers = sorted((read_transfer(p) for p in inputs.candidates), key=lambda t: t.setting)
    confidence = f"{confidence_of(inputs.config_json) * 100:g} %"
    blocks = blocks_of(rows)
    kernel_tables = speaking_tables(inputs.kernel_tables)
    data = {
        "heat": heat_data([(row, verdict([row], OVER_ANSOR)) for row in rows], SAME),
        "kernels": kernel_data(kernel_tables, inputs.benchmarks.parent),
    }
    script = (FOLDER / "report.js").read_text()
    templates = environment()
    templates.filters |= {
        "percent": percent,
        "share": share,
        "most": most_lost,
        "count": lambda value: "–" if value is None else f"{value:g}",
        "error": lambda value: "–" if value is None else f"{value:.1e}",
    }
    page = templates.get_template("template.html").render(
        css=style(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode(),
        data=embedded_json(data),
        heat=data["heat"],
        kernel_rows=len(data["kernels"]["rows"]),
        kernel_columns=KERNEL_COLUMNS,
        kernel_filters=[
            (number, column["title"])
            for number, column in enumerate(KERNEL_COLUMNS)
            if column["name"] in FILTERS
        ],
        kernel_tables=kernel_tables,
        roofs=[(path, read_rows(path, RoofRow)) for path in inputs.rooflines],
        machines=side_by_side(blocks, records),
        fastest=[fastest_method(block) for block in blocks],
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        inputs=inputs,
        confidence=confidence,
        overall=overall(rows),
        paragraphs=[(b.target, b.setting, sentences(b, confidence)) for b in blocks],
        warnings=warnings(rows),
        tables=grouped(blocks, lambda b: b.setting),
        samples=range_text([row.samples for row in rows if row.latency_ms is not None], "g"),
        processes=range_text([row.processes for row in rows if row.latency_ms is not None], "g"),
        maps=[_map(i, group) for i, group in enumerate(_maps(rows).items())],
        charts=[_chart(i, block) for i, block in enumerate(blocks)],
        times=search_times(rows, [read_history(path) for path in inputs.histories]),
        sweeps=sweeps(rows),
        droplet=droplet_worth(inputs.gains, inputs.effects),
        rankings=rankings(inputs.rankings, rows),
        coverage=[coverage_of(*group) for group in grouped(transfers, lambda t: t.setting)],
        models=sorted(
            (read_kernels(path) for path in inputs.kernels), key=lambda k: (k.hardware, k.model)
        ),
        environments=environments(rows, records),
        records=records,
        config=_pretty(inputs.config_json),
    )
    return str(page)


def _maps(rows: list[BenchmarkRow]) -> dict[Setting, list[tuple[BenchmarkRow, str]]]:
    """Transfers and how they compare with Ansor, by hardware, trials and log."""
    moved = [row for row in rows if row.method == TRANSFER]
    groups = grouped(moved, lambda r: Setting(r.hardware, r.trials, r.log))
    return {
        key: [(row, verdict([row], OVER_ANSOR)) for row in group]
        for key, group in sorted(groups, key=lambda g: g[0])
    }


def _map(index: int, group: tuple[Setting, list[tuple[BenchmarkRow, str]]]) -> dict[str, Any]:
    setting, rows = group
    cells = {
        (row.source, row.target): Cell(row.share_of_ansor_speedup, _mark(row, verdict))
        for row, verdict in rows
    }
    sources, targets = ({pair[i]: None for pair in sorted(cells)} for i in (0, 1))
    title = f"Share of Ansor's speedup by source and target: {setting}"
    svg = heat_map(f"map{index}", title, sorted(sources), sorted(targets), cells)
    return {"title": str(setting), "svg": Markup(svg)}


def _mark(row: BenchmarkRow, verdict: str) -> str:
    if row.latency_ms is None:
        return "failed"
    if row.share_of_ansor_speedup is None:
        return "–"
    return "≈" if verdict == SAME else ""


def _chart(index: int, block: Block) -> dict[str, Any]:
    methods = []
    shown = _worth_drawing(block.lines)
    for line in shown:
        runs = [
            (row.latency_ms, *row.interval)
            for row in line.rows
            if row.latency_ms is not None and row.interval is not None
        ]
        if len(runs) > _MOST_RUNS:
            middles, lows, highs = zip(*runs, strict=True)
            runs = [(statistics.median(middles), min(lows), max(highs))]
        text = line.latency[0] if runs else "no latency"
        methods.append(Measured(_short(line), line.method, runs, text))
    title = f"Latency of {block.target} by method: {block.setting}"
    svg = latency_chart(f"chart{index}", title, methods)
    return {
        "title": f"{block.target}: {block.setting}",
        "svg": Markup(svg),
        "left_out": len(block.lines) - len(shown),
    }


def _worth_drawing(lines: list[Line]) -> list[Line]:
    """A target's own methods, and of many transfers the best ones; all are in the table."""
    moved = [line for line in lines if moves(line.method)]
    best = sorted(moved, key=lambda line: -(line.middle(OVER_ANSOR) or 0.0))[:_MOST_TRANSFERS]
    return [line for line in lines if not moves(line.method) or line in best]


def _short(line: Line) -> str:
    """A line's label where there is little room."""
    if not moves(line.method):
        return line.label
    return origin(line.rows[0]).removesuffix(" log") + method_of(line.method).ending


def _pretty(config_json: str) -> str:
    try:
        return json.dumps(json.loads(config_json), indent=2, ensure_ascii=False)
    except ValueError:
        return config_json
