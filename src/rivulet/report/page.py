"""The page: sentences, tables and figures, worked out from the inputs and put in the template."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from rivulet.benchmark.subject import BASELINES
from rivulet.measure.ratios import SAME
from rivulet.report.coverage import coverage_of
from rivulet.report.droplet import droplet_worth
from rivulet.report.environments import environments, most_lost
from rivulet.report.heat import heat_data
from rivulet.report.inputs import (
    METHODS,
    MOVED,
    REFINED,
    TRANSFER,
    WARM,
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
from rivulet.report.plots import Cell, Measured, heat_map, latency_chart
from rivulet.report.rankings import rankings
from rivulet.report.reading import grouped, read_rows
from rivulet.report.search_time import search_times
from rivulet.report.sweep import sweeps
from rivulet.report.templates import FOLDER, environment, style
from rivulet.report.wording import (
    counted,
    duration,
    latency_text,
    percent,
    range_text,
    share,
)

NAMES = {
    "untuned": "untuned",
    "onnxruntime": "ONNX Runtime",
    "torch": "PyTorch",
    "torch-compile": "torch.compile",
    "ansor": "Ansor",
    "droplet": "droplet",
    "warm": "warm start",
    "transfer": "transfer",
    "transfer+droplet": "transfer + droplet",
}

# More in one figure could not be told apart, and the page of a large matrix would be slow.
_MOST_TRANSFERS, _MOST_RUNS = 12, 12
OVER_ANSOR, OVER_RUNTIME = "share_of_ansor_speedup", "speedup_vs_onnxruntime"


@dataclass(frozen=True)
class Line:
    """A line of the summary table: one method on one target, in one or more pair runs."""

    label: str
    method: str
    rows: list[BenchmarkRow]
    verdict: str

    @property
    def timed(self) -> list[BenchmarkRow]:
        """The rows that have a latency."""
        return [row for row in self.rows if row.latency_ms is not None]

    @property
    def errors(self) -> list[str]:
        """Distinct errors, with the number of runs where not every run has it."""
        texts = [row.error for row in self.rows if row.error]
        runs = len(self.rows)
        return [
            text if texts.count(text) == runs else f"{text} (in {texts.count(text)} of {runs} runs)"
            for text in dict.fromkeys(texts)
        ]

    @property
    def latency(self) -> tuple[str, str]:
        """Latency and its spread: the interval of one run, or the range of several medians."""
        values = [row.latency_ms for row in self.rows if row.latency_ms is not None]
        if len(values) > 1:
            middle, low, high = latency_text(statistics.median(values), min(values), max(values))
            return middle, f"{len(values)} runs: {low}–{high}"
        middle, low, high = latency_text(values[0], *(self.timed[0].interval or (0, 0)))
        return middle, f"{low}–{high}"

    def middle(self, column: str) -> float | None:
        """Median of a column over the runs that have it."""
        values = [v for row in self.rows if (v := getattr(row, column)) is not None]
        return statistics.median(values) if values else None


@dataclass(frozen=True)
class Block:
    """One target on one hardware with one trial count."""

    setting: Setting
    target: str
    lines: list[Line]

    def line(self, method: str) -> Line | None:
        """The line of one of the target's own methods, if it has a latency."""
        return next((x for x in self.lines if x.method == method and x.timed), None)


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
    blocks = _blocks(rows)
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
        data=Markup(_embedded(data)),
        heat=data["heat"],
        kernel_rows=len(data["kernels"]["rows"]),
        kernel_columns=KERNEL_COLUMNS,
        kernel_filters=[
            (number, column["title"])
            for number, column in enumerate(KERNEL_COLUMNS)
            if column["name"] in FILTERS
        ],
        kernel_tables=kernel_tables,
        roofs=[(path, read_rows(path, RoofLine)) for path in inputs.rooflines],
        fastest=[_fastest(block, confidence) for block in blocks],
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        inputs=inputs,
        confidence=confidence,
        overall=_overall(rows),
        paragraphs=[(b.target, b.setting, _sentences(b, confidence)) for b in blocks],
        warnings=_warnings(rows),
        tables=grouped(blocks, lambda b: b.setting),
        samples=range_text([row.samples for row in rows if row.latency_ms is not None], "g"),
        processes=range_text([row.processes for row in rows if row.latency_ms is not None], "g"),
        maps=[_map(i, group) for i, group in enumerate(_maps(rows).items())],
        charts=[_chart(i, block) for i, block in enumerate(blocks)],
        times=search_times(rows, [read_history(path) for path in inputs.histories]),
        sweeps=sweeps(rows, NAMES),
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


# --- What may be claimed


def compare(own: BenchmarkRow, other: BenchmarkRow) -> str:
    """``faster``, ``slower`` or no difference shown: different only if intervals do not overlap."""
    ours, theirs = own.interval, other.interval
    if ours is None or theirs is None:
        return ""
    if ours[1] < theirs[0]:
        return "faster"
    return "slower" if ours[0] > theirs[1] else SAME


def verdict(rows: Iterable[BenchmarkRow], column: str) -> str:
    """What a method's ratio to another shows in all pair runs that timed both; they have to agree.

    Args:
        rows: The method's rows.
        column: The ratio's column, such as ``share_of_ansor_speedup``.

    Returns:
        ``faster``, ``slower``, that no difference is shown, or nothing without such a ratio.
    """
    found = set()
    for row in rows:
        low, high = getattr(row, f"{column}_low"), getattr(row, f"{column}_high")
        if low is not None and high is not None:
            found.add("faster" if low > 1 else "slower" if high < 1 else SAME)
    if not found:
        return ""
    return found.pop() if len(found) == 1 else SAME


def _measured(rows: list[BenchmarkRow], confidence: str) -> str:
    values = [row.latency_ms for row in rows if row.latency_ms is not None]
    intervals = [row.interval for row in rows if row.interval is not None]
    middle, low, high = latency_text(
        statistics.median(values), min(i[0] for i in intervals), max(i[1] for i in intervals)
    )
    if len(values) == 1:
        return f"{middle} ms ({confidence} interval {low}–{high})"
    return f"{middle} ms (median of {len(values)} pair runs, intervals within {low}–{high})"


def _sentences(block: Block, confidence: str) -> list[str]:
    """What the measurements of one target say, in words."""
    said = []
    ansor, runtime = block.line("ansor"), block.line("onnxruntime")
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
    if droplet := block.line("droplet"):
        text = f"Droplet, which goes on from there, takes {_measured(droplet.timed, confidence)}"
        said.append(f"{text}{_against_ansor(droplet.verdict)}.")
    if warm := block.line(WARM):
        trials_used = warm.middle("trials_measured") or 0
        text = (
            f"A search of {trials_used:g} trials, started from the schedules of the pool, takes "
            f"{_measured(warm.timed, confidence)}"
        )
        said.append(f"{text}{_against_ansor(warm.verdict)}.")
    said += _best_transfer(block, confidence)
    for line in block.lines:
        said += [f"No latency for {line.label}: {error.rstrip('.')}." for error in line.errors]
    return said


def _best_transfer(block: Block, confidence: str) -> list[str]:
    lines = [x for x in block.lines if x.method == TRANSFER and x.timed]
    lines.sort(key=lambda x: -(x.rows[0].share_of_ansor_speedup or 0))
    if not lines:
        return []
    best = lines[0].rows[0]
    text = f"({_origin(best)}) "
    if best.share_of_ansor_speedup is None:
        text = f"A transfer {text}runs in {_measured([best], confidence)}."
        return [text, *_refined(block, best, confidence)]
    text = (
        f"The {'best transfer' if len(lines) > 1 else 'transfer'} {text}runs in "
        f"{_measured([best], confidence)} and reaches {best.share_of_ansor_speedup:.2f} of "
        "Ansor's speedup"
    )
    ansor = block.line("ansor")
    full = ansor.middle("search_seconds") if ansor else None
    if best.search_seconds is not None and full is not None:
        text += f" in {duration(best.search_seconds)} of search against {duration(full)}"
    text += _against_ansor(lines[0].verdict)
    rivals = [x.rows[0] for x in lines[1:] if compare(x.rows[0], best) == SAME]
    if rivals:
        listed = "; ".join(_origin(row) for row in rivals)
        text += f". No difference is shown between it and the transfer {listed}"
    return [f"{text}.", *_refined(block, best, confidence)]


def _refined(block: Block, transfer: BenchmarkRow, confidence: str) -> list[str]:
    """What droplet search made of a transfer; both were timed in the same processes."""
    for row in (row for x in block.lines if x.method == REFINED for row in x.timed):
        if row.pair == transfer.pair:
            verdict = compare(row, transfer)
            ending = "no difference to the transfer alone shown"
            if verdict != SAME:
                ending = f"{verdict} than the transfer alone"
            start = f"Droplet, which goes on from the transfer {_origin(transfer)}, takes"
            return [f"{start} {_measured([row], confidence)}; {ending}."]
    return []


def _against_ansor(verdict: str) -> str:
    return {"": "", SAME: "; no difference to Ansor shown"}.get(verdict, f"; {verdict} than Ansor")


def _overall(rows: list[BenchmarkRow]) -> list[str]:
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


def _warnings(rows: list[BenchmarkRow]) -> list[str]:
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


# --- Tables and figures


def _embedded(data: dict[str, Any]) -> str:
    """JSON to stand in a script element, which nothing in it may end."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@dataclass(frozen=True)
class RoofLine:
    """A row of a roofline table."""

    roof: str
    unit: str
    peak: float | None
    median: float | None
    samples: int
    threads: int


@dataclass(frozen=True)
class Fastest:
    """Which method is the fastest on a target, and how sure that is.

    Attributes:
        block: The target, its hardware and trial count.
        line: The method with the largest share of Ansor's speedup.
        share: That share with its interval, in words.
        over_runtime: Speedup over ONNX Runtime with its interval, in words; empty without.
        rivals: Labels of the methods whose intervals overlap with it.
    """

    block: Block
    line: Line
    share: str
    over_runtime: str
    rivals: list[str]


def _fastest(block: Block, confidence: str) -> Fastest | None:
    """By ratios to Ansor, since pair runs differ and every one of them has timed it."""
    tuned = [x for x in block.lines if x.timed and x.method not in BASELINES]
    rated = [(x, rows) for x in tuned if (rows := [r for r in x.timed if _ends(r, OVER_ANSOR)])]
    if not rated:
        return None

    def middle(rows: list[BenchmarkRow]) -> float:
        return float(statistics.median(getattr(row, OVER_ANSOR) for row in rows))

    line, rows = max(rated, key=lambda one: middle(one[1]))
    low = min(getattr(row, f"{OVER_ANSOR}_low") for row in rows)
    rivals = [
        other.label
        for other, own in rated
        if other is not line and max(getattr(row, f"{OVER_ANSOR}_high") for row in own) >= low
    ]
    return Fastest(
        block, line, _ratio_text(rows, OVER_ANSOR), _ratio_text(rows, OVER_RUNTIME), rivals
    )


def _ends(row: BenchmarkRow, column: str) -> bool:
    return getattr(row, f"{column}_low") is not None and getattr(row, f"{column}_high") is not None


def _ratio_text(rows: list[BenchmarkRow], column: str) -> str:
    known = [row for row in rows if _ends(row, column)]
    if not known:
        return ""
    middle = statistics.median(getattr(row, column) for row in known)
    low = min(getattr(row, f"{column}_low") for row in known)
    high = max(getattr(row, f"{column}_high") for row in known)
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"


def _blocks(rows: list[BenchmarkRow]) -> list[Block]:
    blocks = []
    groups = grouped(rows, lambda r: (Setting(r.hardware, r.trials), r.target))
    for (setting, target), group in sorted(groups, key=lambda g: g[0]):
        lines = []
        for method in (m for m in METHODS if m not in MOVED):
            own = [row for row in group if row.method == method]
            if own:
                shown = verdict(own, OVER_ANSOR) if method != "ansor" else ""
                lines.append(Line(NAMES[method], method, own, shown))
        moved = [row for row in group if row.method in MOVED]
        for row in sorted(moved, key=lambda r: (r.pair, MOVED.index(r.method))):
            label = f"{NAMES[row.method]} {_origin(row)}"
            lines.append(Line(label, row.method, [row], verdict([row], OVER_ANSOR)))
        blocks.append(Block(setting, target, lines))
    return blocks


def _origin(row: BenchmarkRow) -> str:
    return f"from {row.source}, {row.log} log"


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
    moved = [line for line in lines if line.method in MOVED]
    best = sorted(moved, key=lambda line: -(line.middle(OVER_ANSOR) or 0.0))[:_MOST_TRANSFERS]
    return [line for line in lines if line.method not in MOVED or line in best]


def _short(line: Line) -> str:
    """A line's label where there is little room."""
    if line.method not in MOVED:
        return line.label
    origin = _origin(line.rows[0]).removesuffix(" log")
    return f"{origin}, + droplet" if line.method == REFINED else origin


def _pretty(config_json: str) -> str:
    try:
        return json.dumps(json.loads(config_json), indent=2, ensure_ascii=False)
    except ValueError:
        return config_json
