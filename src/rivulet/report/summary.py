"""What the measurements say, in sentences."""

from __future__ import annotations

import statistics

from rivulet import methods
from rivulet.benchmark.table import MethodRow
from rivulet.measure.ratios import SAME
from rivulet.methods import ANSOR, ONNXRUNTIME, TRANSFER, Method, method_of
from rivulet.report.blocks import Block, Line, origin
from rivulet.report.grouping import grouped
from rivulet.report.verdicts import OVER_ANSOR, OVER_RUNTIME, compare, verdict
from rivulet.report.wording import counted, duration, latency_text, range_text


def _measured(rows: list[MethodRow], confidence: str) -> str:
    values = [row.latency_ms for row in rows if row.latency_ms is not None]
    intervals = [row.interval for row in rows if row.interval is not None]
    middle, low, high = latency_text(
        statistics.median(values), min(i[0] for i in intervals), max(i[1] for i in intervals)
    )
    if len(values) == 1:
        return f"{middle} ms ({confidence} interval {low}–{high})"
    return f"{middle} ms (median of {len(values)} pair runs, intervals within {low}–{high})"


def sentences(block: Block, confidence: str) -> list[str]:
    """What the measurements of one target say, in words."""
    said = []
    ansor, runtime = block.line(ANSOR), block.line(ONNXRUNTIME)
    hardware, trials = block.setting.hardware, block.setting.trials
    if ansor:
        text = (
            f"On {hardware}, {block.target} runs in {_measured(ansor.timed, confidence)} with "
            f"Ansor after {trials} trials"
        )
        if runtime:
            text += f", and in {_measured(runtime.timed, confidence)} with ONNX Runtime: "
            shown = verdict(ansor.timed, OVER_RUNTIME)
            text += f"Ansor is {shown}" if shown not in (SAME, "") else SAME
        said.append(f"{text}.")
    else:
        said.append(
            f"On {hardware}, {block.target} has no latency with Ansor after {trials} trials, so "
            "no share of its speedup can be given."
        )
    for method in (one for one in methods.own() if one.name != ANSOR):
        if line := block.line(method.name):
            text = f"{_introduced(method, line)} takes {_measured(line.timed, confidence)}"
            said.append(f"{text}{_against_ansor(line.verdict)}.")
    said += _best_transfer(block, confidence)
    for line in block.lines:
        said += [f"No latency for {line.label}: {error.rstrip('.')}." for error in line.errors]
    return said


def _introduced(method: Method, line: Line) -> str:
    if method.from_pool:
        trials = line.middle("trials_measured") or 0
        return f"A search of {trials:g} trials, started from the schedules of the pool,"
    return f"{method.heading}, which goes on from there," if method.goes_on_from else method.heading


def _best_transfer(block: Block, confidence: str) -> list[str]:
    lines = [x for x in block.lines if x.method == TRANSFER and x.timed]
    lines.sort(key=lambda x: -(x.rows[0].share_of_ansor_speedup or 0))
    if not lines:
        return []
    best = lines[0].rows[0]
    text = f"({origin(best)}) "
    if best.share_of_ansor_speedup is None:
        text = f"A transfer {text}runs in {_measured([best], confidence)}."
        return [text, *_gone_on(block, best, confidence)]
    text = (
        f"The {'best transfer' if len(lines) > 1 else 'transfer'} {text}runs in "
        f"{_measured([best], confidence)} and reaches {best.share_of_ansor_speedup:.2f} of "
        "Ansor's speedup"
    )
    ansor = block.line(ANSOR)
    full = ansor.middle("search_seconds") if ansor else None
    if best.search_seconds is not None and full is not None:
        text += f" in {duration(best.search_seconds)} of search against {duration(full)}"
    text += _against_ansor(lines[0].verdict)
    rivals = [x.rows[0] for x in lines[1:] if compare(x.rows[0], best) == SAME]
    if rivals:
        listed = "; ".join(origin(row) for row in rivals)
        text += f". No difference is shown between it and the transfer {listed}"
    return [f"{text}.", *_gone_on(block, best, confidence)]


def _gone_on(block: Block, transfer: MethodRow, confidence: str) -> list[str]:
    """What was made of a transfer after it; both were timed in the same processes."""
    said = []
    for row in (row for x in block.lines for row in x.timed):
        method = method_of(row.method)
        if method.goes_on_from == TRANSFER and row.pair == transfer.pair:
            verdict = compare(row, transfer)
            ending = "no difference to the transfer alone shown"
            if verdict != SAME:
                ending = f"{verdict} than the transfer alone"
            name = method.ending.removeprefix(", + ").capitalize()
            start = f"{name}, which goes on from the transfer {origin(transfer)}, takes"
            said.append(f"{start} {_measured([row], confidence)}; {ending}.")
    return said


def _against_ansor(verdict: str) -> str:
    return {"": "", SAME: "; no difference to Ansor shown"}.get(verdict, f"; {verdict} than Ansor")


def overall(rows: list[MethodRow]) -> list[str]:
    """How the transfers do against Ansor, over the whole table."""
    pairs = {row.pair for row in rows}
    if not pairs:
        return []
    targets, hardware = {r.target for r in rows}, sorted({r.hardware for r in rows})
    said = [
        f"The table holds {counted(len(pairs), 'pair run')} of "
        f"{counted(len(targets), 'target model')} on {', '.join(hardware)}; a pair run times one "
        "transfer and the target's own methods by turns in the same processes."
    ]
    moved = [row for row in rows if row.method == TRANSFER]
    verdicts = [verdict([row], OVER_ANSOR) for row in moved]
    judged = [v for v in verdicts if v]
    if judged:
        counts = [
            f"{judged.count('faster')} faster than Ansor's own search",
            f"{judged.count('slower')} slower",
            f"{judged.count(SAME)} with no difference shown",
        ]
        said.append(f"Of {counted(len(judged), 'transfer')} compared: {', '.join(counts)}.")
    if shares := [r.share_of_ansor_speedup for r in moved if r.share_of_ansor_speedup is not None]:
        said.append(
            f"The median transfer reaches {statistics.median(shares):.2f} of Ansor's speedup "
            f"(range {range_text(shares, '.2f')})."
        )
    if missing := sum(row.latency_ms is None for row in rows):
        said.append(f"Rows without a latency: {missing}; the reasons are given below.")
    return said


def warnings(rows: list[MethodRow]) -> list[str]:
    """Why some of the table is to be read with care."""
    said = []
    for hardware in sorted({row.hardware for row in rows}):
        states = sorted({r.fingerprint for r in rows if r.hardware == hardware and r.fingerprint})
        if len(states) > 1:
            said.append(
                f"The rows of {hardware} were measured in {len(states)} different states of the "
                f"device (fingerprints {', '.join(states)}); compare latencies within one state "
                "only."
            )
    disturbed = {row.pair: row.disturbed for row in rows if row.disturbed}
    for reason, pairs in grouped(disturbed, lambda pair: disturbed[pair]):
        names = ", ".join(f"{p[2]} to {p[1]} ({p[3]} log, {p[4]} trials)" for p in pairs)
        said.append(f"Disturbed while they were timed, because {reason}: {names}.")
    return said
