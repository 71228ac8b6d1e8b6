"""The run in some sentences, one table and one figure; and what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable

from rivulet import methods
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, Stated
from rivulet.measure.ratios import BETTER, SAME, WORSE, Ratio
from rivulet.measure.statistics import median
from rivulet.methods import (
    ANSOR,
    DROPLET,
    ONNXRUNTIME,
    TORCH,
    TORCH_COMPILE,
    TRANSFER,
    UNTUNED,
    Method,
    moves,
    place_of,
)
from rivulet.paths import POOL
from rivulet.report.blocks import Line
from rivulet.report.reference.markdown import NONE, interval, table
from rivulet.report.reference.run import Run
from rivulet.report.reference.speed_chart import Point
from rivulet.report.verdicts import OVER_ANSOR, OVER_RUNTIME, OVER_UNTUNED
from rivulet.report.wording import counted, duration, number, percent

NOTE = """Each entry is a speed as a multiple of ONNX Runtime's on as many threads, with its
interval, and the search time that it took, on top of what it starts from. Above 1 is faster than
ONNX Runtime. Transfers are those from logs without droplet."""


def _kinds(lines: list[Line]) -> dict[str, list[Line]]:
    """The lines of each kind that is told of beside Ansor and droplet."""
    plain = [x for x in lines if x.method == TRANSFER]
    of_pool = [x for x in plain if x.rows[0].source == POOL]
    told = {
        "Transfer from one other model": [x for x in plain if x not in of_pool],
        "Transfer from the pool of the others": of_pool,
    }
    for method in [*methods.moved(), *methods.own()]:
        if method.name not in (ANSOR, DROPLET, TRANSFER):
            told[_kind(method)] = [x for x in lines if x.method == method.name]
    return told


def _kind(method: Method) -> str:
    return method.heading.replace(" + ", ", then ") + (" from the pool" if method.from_pool else "")


def short(run: Run) -> list[str]:
    """The run in sentences."""
    said = []
    for method, column, what in (
        (ANSOR, OVER_RUNTIME, "**Ansor** reaches of ONNX Runtime's speed"),
        (DROPLET, OVER_RUNTIME, "**Ansor with droplet** reaches of ONNX Runtime's speed"),
        (DROPLET, OVER_ANSOR, "**Droplet on the target's own log** changes Ansor's speed by"),
    ):
        told = [
            f"{interval(ratio)} on {block.target}"
            + (f" ({ratio.verdict})" if column == OVER_ANSOR else "")
            for block in run.blocks
            if (ratio := run.ratio(block.line(method), column))
        ]
        if told:
            said.append(f"{what}: {', '.join(told)}.")
    for name, lines in _kinds([line for block in run.blocks for line in block.lines]).items():
        said += _beside_ansor(name, lines, run)
    for comparison, name in ((BEFORE_TRANSFER, "before"), (AFTER_TRANSFER, "after")):
        effects = [e.ratio for e in run.effects if e.comparison == comparison and e.ratio]
        if effects:
            values = [one.value for one in effects]
            said.append(
                f"**Droplet {name} a transfer**, in {counted(len(effects), 'pair')}: "
                f"{_verdicts(effects)}; {min(values):.3f} to {max(values):.3f}, median "
                f"{median(values):.3f}."
            )
    return said


def _beside_ansor(name: str, lines: list[Line], run: Run) -> list[str]:
    """How a kind of method does, over all targets."""
    ratios = [one for x in lines if (one := run.ratio(x, OVER_ANSOR))]
    if not ratios:
        return []
    values = [one.value for one in ratios]
    seconds = [s for x in lines if (s := x.middle("search_seconds")) is not None]
    text = (
        f"**{name}** reaches {min(values):.2f} to {max(values):.2f} of Ansor's speed-up (median "
        f"{median(values):.2f}) in {duration(min(seconds))} to {duration(max(seconds))} of search; "
        f"beside Ansor {_verdicts(ratios)}"
    )
    if untuned := [one for x in lines if (one := run.ratio(x, OVER_UNTUNED))]:
        faster = sum(one.low > 1 for one in untuned)
        text += f"; {faster} of {len(untuned)} faster than untuned"
    return [f"{text}."]


def _verdicts(ratios: Iterable[Ratio | Stated]) -> str:
    verdicts = [one.verdict for one in ratios]
    names = ((BETTER, "better"), (WORSE, "worse"), (SAME, "with no difference shown"))
    return ", ".join(f"{verdicts.count(verdict)} {name}" for verdict, name in names)


def summary_table(run: Run) -> str:
    """Methods down, targets across: speed over ONNX Runtime's, its interval, the search time."""
    labels = {x.label: x for block in run.blocks for x in block.lines if _shown(x)}
    lines = []
    for label, line in sorted(labels.items(), key=lambda one: _order(one[1])):
        cells = [
            next((_cell(x, run) for x in block.lines if x.label == label), NONE)
            for block in run.blocks
        ]
        budgets = {ANSOR: line.rows[0].trials, DROPLET: run.droplet_trials}
        more = f", {budgets[line.method]:,} trials" if line.method in budgets else ""
        lines.append((label + more, *cells))
    return table(("", *(block.target for block in run.blocks)), lines)


def _shown(line: Line) -> bool:
    of_droplet = moves(line.method) and line.rows[0].log == DROPLET
    return bool(line.timed) and not of_droplet and line.method not in (TORCH, TORCH_COMPILE)


def _order(line: Line) -> tuple[bool, bool, str, int]:
    """A target's own methods first, then transfers by source, the pool last."""
    moved = moves(line.method)
    source = line.rows[0].source if moved else ""
    return (moved, source == POOL, source, place_of(line.method))


def _cell(line: Line, run: Run) -> str:
    if not line.timed:
        return NONE
    ratio = run.ratio(line, OVER_RUNTIME)
    if ratio is None or line.method == ONNXRUNTIME:
        return f"{number(line.middle('latency_ms'))} ms"
    seconds = line.middle("search_seconds")
    return interval(ratio) + (f", {duration(seconds)}" if seconds else "")


def speed_points(run: Run) -> dict[str, list[Point]]:
    """Lines of the figure, by target: all but the baselines, which are far off its scale."""
    return {
        block.target: [
            (line.label, line.method, ratio)
            for line in sorted(block.lines, key=_order)
            if line.method not in methods.baselines() and (ratio := run.ratio(line, OVER_RUNTIME))
        ]
        for block in run.blocks
    }


def limits(run: Run) -> list[str]:
    """What the run cannot tell."""
    said = [
        "One search seed for each model, one log of each: another seed gives another log, and how "
        "far two logs of one model lie apart was not measured. What is better or worse here is so "
        "for these logs.",
        "One machine, one day. Another processor has other fast schedules, other caches and "
        "another ONNX Runtime.",
    ]
    reaches = [
        (ratio.high - ratio.low) / 2 / ratio.value
        for block in run.blocks
        for line in block.lines
        if line.method not in (UNTUNED, ANSOR) and (ratio := run.ratio(line, OVER_ANSOR))
    ]
    if reaches:
        said.append(
            f"Intervals of a ratio to Ansor reach {percent(median(reaches))} to either side "
            f"(median; at most {percent(max(reaches))}): smaller differences are not seen."
        )
    disturbed = {row.pair for row in run.rows if row.disturbed}
    said += [
        f"{len(disturbed)} of {len({row.pair for row in run.rows})} tables were measured while "
        "something else kept the machine busy or slow, and are marked in the column `disturbed`.",
        f"Of comparisons of equals {percent(1 - run.confidence)} are called different, at these "
        "intervals: a single *better* or *worse* among many comparisons shows little.",
    ]
    if gaps := _gaps(run):
        said.append(
            f"A whole model takes longer than its kernels' latencies in the log add up to: {gaps} "
            "(Ansor). The search, droplet and transfers choose by kernels that are timed alone."
        )
    said += [
        "Sums of kernels' latencies, and so the times after which a search matches another, are "
        "each measured once, in different processes; they have no interval.",
        f"This page tells of logs of {run.rows[0].trials:,} trials: what transfers and droplet "
        "search make of shorter searches is not told.",
    ]
    if not run.effects:
        said.append("What droplet search changes before a transfer and after it was not measured.")
    return said


def _gaps(run: Run) -> str:
    """Each target's latency with Ansor's schedules over their sum in the log."""
    told = []
    for block in run.blocks:
        ansor = block.line(ANSOR)
        kernels = ansor.middle("kernel_sum_ms") if ansor else None
        if ansor and kernels:
            whole = ansor.middle("latency_ms") or 0.0
            told.append(f"{whole / kernels:.2f} times on {block.target}")
    return ", ".join(told)
