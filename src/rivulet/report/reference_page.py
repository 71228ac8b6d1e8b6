"""The answers of a finished run as one page of Markdown, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rivulet.benchmark.subject import BASELINES
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow, Stated
from rivulet.measure.ratios import BETTER, SAME, WORSE, Ratio
from rivulet.measure.statistics import median
from rivulet.records.curve import Curve
from rivulet.report.answers import Answer, Row, Variant, answers, place_of
from rivulet.report.earlier import EarlierPair
from rivulet.report.inputs import POOL, REFINED, TRANSFER, WARM
from rivulet.report.speed_chart import Point
from rivulet.report.stage_times import StageTime
from rivulet.report.verdicts import OVER_ANSOR, OVER_RUNTIME
from rivulet.report.wording import counted, duration, number

CHART = "speed.svg"
_NONE = "–"
_SMALL = 0.1
_TORCH = ("torch", "torch-compile")
_RUNTIME = Variant("onnxruntime")


@dataclass(frozen=True)
class Run:
    """What the page tells of.

    Attributes:
        rows: The collected benchmark table, of one hardware and trial count.
        trials: That count.
        confidence: Of the intervals.
        droplet_trials: Trials of droplet search per model, as configured.
        curves: Model to the curve of its Ansor search.
        counts: Trial counts at which the curve is told.
        effects: Droplet search around transfers; those without repetitions come from the tables
            of the pairs.
        earlier: Source and target to what others published of the pair.
        stages: Wall time by stage.
        facts: What the run was made with, name to value.
        rerun: How to make the run again, and to use what is kept of it, in Markdown.
    """

    rows: Sequence[Row]
    trials: int
    confidence: float
    droplet_trials: int
    curves: Mapping[str, Curve]
    counts: Sequence[int]
    effects: Sequence[EffectRow] = ()
    earlier: Mapping[tuple[str, str], EarlierPair] = field(default_factory=dict)
    stages: Sequence[StageTime] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    rerun: str = ""


def reference_page(title: str, introduction: str, run: Run) -> str:
    """The page.

    Args:
        title: Its first line, a heading.
        introduction: What stands below it.
        run: What it tells of.
    """
    by_target = answers(run.rows)
    parts = [
        title,
        introduction,
        _table(("", ""), [(name, value) for name, value in run.facts.items()]),
        "## In short",
        "\n".join(f"- {line}" for line in _short(by_target, run)),
        summary_table(by_target, run),
        _SUMMARY_NOTE.format(confidence=f"{run.confidence:.0%}".replace("%", " %")),
        f"![Speed of each method over ONNX Runtime's, with intervals, by target]({CHART})",
        "## Every method",
        _EVERY_NOTE,
        *(part for target in by_target for part in _target(target, by_target[target], run)),
        "## Transfer: what it costs beside a search of the target's own",
        _TIME_NOTE,
        _times(by_target, run),
        *_droplet(by_target, run),
        "## By trial count",
        _COUNT_NOTE,
        _counts(by_target, run),
        "## What this run cannot tell",
        "\n".join(f"- {line}" for line in _limits(by_target, run)),
        "## Wall time by stage",
        _table(
            ("stage", "jobs", "wall time", "longest job"),
            [
                (one.stage, one.jobs, duration(one.seconds), duration(one.longest))
                for one in run.stages
            ],
        ),
        _STAGE_NOTE if run.stages else "",
        run.rerun,
    ]  # fmt: skip
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


_SUMMARY_NOTE = """Each entry is a speed as a multiple of ONNX Runtime's on as many threads, with
its {confidence} interval, and the search time that it took, on top of what it starts from. Above
1 is faster than ONNX Runtime. Transfers are those from logs without droplet."""
_EVERY_NOTE = """*of ONNX Runtime* is ONNX Runtime's latency over the method's; *of Ansor* Ansor's
latency over the method's, which is the share of Ansor's speed-up that it reaches. A target's own
methods are timed in each table of its pairs: with three tables or more, each is one observation
of the ratio, and the interval is Student's over these; a method of one table has the interval
over that table's processes. Latencies are medians over the tables; the machine's speed wanders
from one table to the next, so compare ratios and not latencies. *search* is the wall time of the
method's own search, *sources* that of the logs that it leans on."""
_TIME_NOTE = """*Ansor's search* is the target's own, in full. *the same sum after* is when that
search had found schedules whose latencies add up to no more than the transfer's; both sums are as
their logs have them, without an interval."""
_STAGE_NOTE = """From the start of each job to its end, added up; two jobs that ran side by side
count each for itself. Of a job that was interrupted only the last run is in it."""
_COUNT_NOTE = """The sum of the kernels' latencies in Ansor's log after so many trials, as a
multiple of the sum at its end, and the search time up to then. These are the search's own
measurements, the best of many: the sums flatter, and have no interval. *no kernel without a
schedule* is when the first sum was there at all."""


def _short(by_target: Mapping[str, Sequence[Answer]], run: Run) -> list[str]:
    said = []
    for variant, what in ((Variant("ansor"), "Ansor"), (Variant("droplet"), "Ansor with droplet")):
        found = [(t, one) for t, a in by_target.items() if (one := _ratio(a, variant, run, True))]
        if found:
            listed = ", ".join(f"{_interval(one)} on {target}" for target, one in found)
            said.append(f"**{what}** reaches of ONNX Runtime's speed: {listed}.")
    own = [
        (t, one) for t, a in by_target.items() if (one := _ratio(a, Variant("droplet"), run, False))
    ]
    if own:
        listed = ", ".join(f"{_interval(one)} on {target} ({one.verdict})" for target, one in own)
        said.append(f"**Droplet on the target's own log** changes Ansor's speed by: {listed}.")
    for name, chosen in _KINDS:
        said += _of_ansor(name, [a for one in by_target.values() for a in one if chosen(a)], run)
    for comparison, name in (
        (BEFORE_TRANSFER, "Droplet before a transfer"),
        (AFTER_TRANSFER, "Droplet after a transfer"),
    ):
        told = [e.ratio for e in run.effects if e.comparison == comparison and e.ratio]
        if told:
            values = [one.value for one in told]
            said.append(
                f"**{name}**, in {counted(len(told), 'pair')}: {_verdicts(told)}; "
                f"{min(values):.3f} to {max(values):.3f}, median {median(values):.3f}."
            )
    return said


def _moved(method: str, pool: bool) -> Callable[[Answer], bool]:
    return lambda a: a.variant.method == method and (a.variant.source == POOL) == pool


_KINDS: tuple[tuple[str, Callable[[Answer], bool]], ...] = (
    ("Transfer from one other model", _moved(TRANSFER, False)),
    ("Transfer from the pool of the others", _moved(TRANSFER, True)),
    ("Transfer, then droplet", lambda a: a.variant.method == REFINED),
    ("Warm start from the pool", lambda a: a.variant.method == WARM),
)


def _of_ansor(name: str, found: Sequence[Answer], run: Run) -> list[str]:
    """How a kind of method does beside Ansor, over all targets."""
    ratios = [one for a in found if (one := a.ratio(OVER_ANSOR, run.confidence))]
    if not ratios:
        return []
    values = [one.value for one in ratios]
    untuned = [one for a in found if (one := a.ratio("speedup_vs_untuned", run.confidence))]
    slower = sum(one.low < 1 for one in untuned)
    seconds = [s for a in found if (s := a.number("search_seconds")) is not None]
    return [
        f"**{name}** reaches {min(values):.2f} to {max(values):.2f} of Ansor's speed-up (median "
        f"{median(values):.2f}) in {duration(min(seconds))} to {duration(max(seconds))} of search; "
        f"beside Ansor {_verdicts(ratios)}; "
        + (f"{slower} of {len(untuned)} not shown to be" if slower else f"all {len(untuned)}")
        + " faster than untuned."
    ]


def _verdicts(ratios: Iterable[Ratio | Stated]) -> str:
    verdicts = [one.verdict for one in ratios]
    names = ((BETTER, "better"), (WORSE, "worse"), (SAME, "with no difference shown"))
    return ", ".join(f"{verdicts.count(verdict)} {name}" for verdict, name in names)


def summary_table(by_target: Mapping[str, Sequence[Answer]], run: Run) -> str:
    """Methods down, targets across: speed over ONNX Runtime's, its interval, the search time."""
    variants = {a.variant for one in by_target.values() for a in one}
    lines = []
    for variant in sorted(variants, key=place_of):
        if variant.log == "droplet" or variant.method in _TORCH:
            continue
        cells = [_summary_cell(_of(found, variant), run) for found in by_target.values()]
        if any(cells):
            name = variant.label
            if variant.method in ("ansor", "droplet"):
                budget = run.trials if variant.method == "ansor" else run.droplet_trials
                name += f", {budget:,} trials"
            lines.append((name, *(cell or _NONE for cell in cells)))
    return _table(("", *by_target), lines)


def _summary_cell(answer: Answer | None, run: Run) -> str:
    if answer is None or answer.latency_ms is None:
        return ""
    if answer.variant == _RUNTIME:
        return f"{number(answer.latency_ms)} ms"
    ratio = answer.ratio(OVER_RUNTIME, run.confidence)
    if ratio is None:
        return f"{number(answer.latency_ms)} ms"
    seconds = answer.number("search_seconds")
    return f"{_interval(ratio)}" + (f", {duration(seconds)}" if seconds else "")


def speed_points(by_target: Mapping[str, Sequence[Answer]], run: Run) -> dict[str, list[Point]]:
    """Lines of the figure, by target: all but the baselines, which are far off its scale."""
    return {
        target: [
            (a.variant.label, a.variant.method, ratio)
            for a in found
            if a.variant.method not in BASELINES
            and (ratio := a.ratio(OVER_RUNTIME, run.confidence))
        ]
        for target, found in by_target.items()
    }


def _target(target: str, found: Sequence[Answer], run: Run) -> list[str]:
    lines = []
    for answer in found:
        latency = answer.latency_ms
        seconds, sources = answer.number("search_seconds"), answer.number("source_search_seconds")
        tried = answer.number("trials_measured")
        runtime, ansor = (
            answer.ratio(column, run.confidence) for column in (OVER_RUNTIME, OVER_ANSOR)
        )
        errors = [row["error"] for row in answer.rows if row["error"]]
        lines.append(
            (
                answer.variant.label,
                errors[0] if errors else number(latency),
                _interval(runtime) if runtime and answer.variant != _RUNTIME else _NONE,
                _interval(ansor) if ansor and answer.variant.method != "ansor" else _NONE,
                duration(seconds) if seconds else _NONE,
                f"{tried:,.0f}" if tried else _NONE,
                duration(sources) if sources else _NONE,
                len(answer.rows),
            )
        )
    heads = (
        "method", "latency ms", "of ONNX Runtime", "of Ansor", "search", "trials", "sources",
        "tables",
    )  # fmt: skip
    return [f"### {target}", _table(heads, lines)]


def _times(by_target: Mapping[str, Sequence[Answer]], run: Run) -> str:
    lines = []
    for target, found in by_target.items():
        own = _of(found, Variant("ansor"))
        full = own.number("search_seconds") if own else None
        for answer in found:
            seconds = answer.number("search_seconds")
            if answer.variant.method not in (TRANSFER, WARM) or not seconds:
                continue
            ratio = answer.ratio(OVER_ANSOR, run.confidence)
            text = answer.rows[0]["ansor_seconds_to_match"]
            match = float(text) if text not in ("", "never") else None
            over = f"{match / seconds:.1f}x" if match is not None else _NONE
            if text == "never" and full:
                over = f"over {full / seconds:.1f}x"
            lines.append(
                (
                    target, answer.variant.label, _interval(ratio) if ratio else _NONE,
                    duration(seconds), duration(full) if full else _NONE,
                    f"{seconds / full:.1%}".replace("%", " %") if full else _NONE,
                    duration(match) if match is not None else text or _NONE, over,
                )
            )  # fmt: skip
    heads = (
        "target", "method", "of Ansor", "search", "Ansor's search", "share of it",
        "the same sum after", "over the transfer's time",
    )  # fmt: skip
    return _table(heads, lines)


def _droplet(by_target: Mapping[str, Sequence[Answer]], run: Run) -> list[str]:
    """Droplet search before and after transfers, pair by pair."""
    places = {(e.source, e.target, e.comparison): e for e in run.effects}
    pairs = list(dict.fromkeys((e.source, e.target) for e in run.effects))
    parts = ["## Droplet search before a transfer and after it"]
    if not pairs:
        return []
    lines = []
    for pair in pairs:
        here = [places.get((*pair, one)) for one in (OWN_LOG, BEFORE_TRANSFER, AFTER_TRANSFER)]
        lines.append((" to ".join(pair), *(_effect(one) for one in here)))
    parts += [
        _DROPLET_NOTE + _DERIVED,
        _table(("pair", "on the target's own log", "before the transfer", "after it"), lines),
    ]
    told = [(pair, run.earlier[pair]) for pair in pairs if pair in run.earlier]
    if told:
        lines = []
        for (source, target), one in told:
            moved = _of(by_target.get(target, ()), Variant(TRANSFER, source, "ansor"))
            ratio = moved.ratio(OVER_ANSOR, run.confidence) if moved else None
            before = places.get((source, target, BEFORE_TRANSFER))
            alone = places.get((source, target, OWN_LOG))
            lines.append(
                (
                    f"{source} to {target}", f"{one.of_untuned:.2f}", f"{one.of_tuned:.2f}",
                    _interval(ratio) if ratio else _NONE, f"{one.droplet:.2f}",
                    _stated(before), f"{one.droplet_alone:.2f}", _stated(alone),
                )
            )  # fmt: skip
        heads = (
            "pair", "published: of untuned", "published: of tuned", "here: of Ansor",
            "published: droplet before", "here", "published: droplet alone", "here",
        )  # fmt: skip
        parts += ["### Beside what was published before", _EARLIER_NOTE, _table(heads, lines)]
    return parts


_DROPLET_NOTE = """Latency without droplet over latency with it; above 1, droplet helps. *before
the transfer*: the sources' logs were refined before their schedules were carried over. *after
it*: what the transfer took was refined on the target. """
_DERIVED = """Variants of a row were timed by turns in the same processes. Rows marked \\* were
not, but come from the tables of the pairs: *after it* from the processes of one table, *before
the transfer* from two tables, in each of which Ansor's schedules stood beside the transfer, with
the error of both in its interval."""
_EARLIER_NOTE = """The question is that of an earlier project
(https://github.com/Jaspann/transfer-tuning), which published single latencies of the same three
models, with 5,000 trials by TVM's former Ansor on another machine
([earlier_results.csv](../earlier_results.csv)). *of untuned* and *of tuned* are a latency over
the transfer's: below 1 the transfer made the model slower. Its untuned models were compiled with
TVM's default schedules of the time, ours are bare loops, which are some hundred times slower; so
its *of untuned* has no counterpart here, and *of tuned* stands beside *of Ansor*."""


def _effect(row: EffectRow | None) -> str:
    if row is None or row.ratio is None:
        return _NONE
    return f"{_stated(row)} {row.verdict}" + (" \\*" if row.repetitions is None else "")


def _stated(row: EffectRow | None) -> str:
    one = row.ratio if row else None
    return f"{one.value:.3f} ({one.low:.3f}–{one.high:.3f})" if one else _NONE


def _counts(by_target: Mapping[str, Sequence[Answer]], run: Run) -> str:
    lines = []
    for model, curve in run.curves.items():
        if not curve.moments:
            continue
        end = curve.moments[-1].model_ms
        cells = []
        for count in run.counts:
            reached = [m for m in curve.moments if m.trials <= count]
            seconds = run_seconds(curve, count)
            cells.append(
                f"{reached[-1].model_ms / end:.3f}, {duration(seconds)}" if reached else _NONE
            )
        first = curve.moments[0]
        lines.append(
            (
                model,
                f"{number(end)} ms",
                *cells,
                f"{first.trials:,} trials, {duration(first.seconds)}",
            )
        )
    heads = (
        "model", "sum at the end", *(f"{count:,} trials" for count in run.counts),
        "no kernel without a schedule",
    )  # fmt: skip
    return _table(heads, lines)


def run_seconds(curve: Curve, trials: int) -> float:
    """Search time up to a trial count, by the last improvement before it or the whole search."""
    return next((m.seconds for m in curve.moments if m.trials >= trials), curve.seconds)


def _limits(by_target: Mapping[str, Sequence[Answer]], run: Run) -> list[str]:
    spans = [
        (one.high - one.low) / 2 / one.value
        for found in by_target.values()
        for a in found
        if a.variant.method not in ("untuned", "ansor")
        and (one := a.ratio(OVER_ANSOR, run.confidence))
    ]
    disturbed = {(row["target"], row["source"], row["log"]) for row in run.rows if row["disturbed"]}
    tables = {(row["target"], row["source"], row["log"]) for row in run.rows}
    said = [
        "One search seed for each model, one log of each: another seed gives another log, and how "
        "far two logs of one model lie apart was not measured. What is better or worse here is so "
        "for these logs.",
        "One machine, one day. Another processor has other fast schedules, other caches and "
        "another ONNX Runtime.",
    ]
    if spans:
        said.append(
            f"Intervals of a ratio to Ansor reach {median(spans):.1%} to either side (median; at "
            f"most {max(spans):.1%}): smaller differences are not seen.".replace("%", " %")
        )
    said.append(
        f"{len(disturbed)} of {len(tables)} tables were measured while something else kept the "
        "machine busy or slow, and are marked in the column `disturbed`."
    )
    said.append(
        "Of twenty comparisons of equals one is called different, at these intervals: a single "
        "*better* or *worse* among many comparisons shows little."
        if run.confidence == 0.95
        else f"Of equals, {1 - run.confidence:.1%} of the comparisons are called different."
    )
    if gaps := _gaps(by_target):
        said.append(
            "A whole model takes longer than its kernels' latencies in the log add up to: "
            + ", ".join(f"{gap:.2f} times on {target}" for target, gap in gaps.items())
            + " (Ansor). The search, droplet and transfers choose by kernels that are timed alone."
        )
    said.append(
        "Sums of kernels' latencies, and so the times after which a search matches another, are "
        "each measured once, in different processes; they have no interval."
    )
    if len({row["trials"] for row in run.rows}) < 2:
        said.append(
            "Whole models were timed for one trial count only: what transfers and droplet search "
            "make of shorter searches is not told."
        )
    if not run.effects:
        said.append("What droplet search changes before a transfer and after it was not measured.")
    return said


def _gaps(by_target: Mapping[str, Sequence[Answer]]) -> dict[str, float]:
    """Target to its latency with Ansor's schedules over their sum in the log."""
    found = {}
    for target, one in by_target.items():
        ansor = _of(one, Variant("ansor"))
        whole, kernels = (
            (ansor.latency_ms, ansor.number("kernel_sum_ms")) if ansor else (None, None)
        )
        if whole and kernels:
            found[target] = whole / kernels
    return found


def _of(found: Iterable[Answer], variant: Variant) -> Answer | None:
    return next((a for a in found if a.variant == variant), None)


def _ratio(found: Iterable[Answer], variant: Variant, run: Run, runtime: bool) -> Ratio | None:
    answer = _of(found, variant)
    return answer.ratio(OVER_RUNTIME if runtime else OVER_ANSOR, run.confidence) if answer else None


def _interval(ratio: Ratio) -> str:
    if ratio.value < _SMALL:
        return f"{number(ratio.value)} ({number(ratio.low)}–{number(ratio.high)})"
    return f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def _table(heads: Sequence[object], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    if not lines:
        return ""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in r)} |" for r in rows)
