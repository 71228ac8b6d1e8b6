"""What transfers, trials and stages cost."""

from __future__ import annotations

import math

from rivulet.methods import ANSOR, method_of
from rivulet.report.reference.markdown import NONE, interval, table
from rivulet.report.reference.run import Run
from rivulet.report.verdicts import OVER_ANSOR
from rivulet.report.wording import duration, number, percent

TIME_NOTE = """*Ansor's search* is the target's own, in full. *the same sum after* is when that
search had found schedules whose latencies add up to no more than the transfer's; both sums are as
their logs have them, without an interval."""
COUNT_NOTE = """The sum of the kernels' latencies in Ansor's log after so many trials, as a
multiple of the sum at its end, and the search time at its last improvement before. These are the
search's own measurements, the best of many: the sums flatter, and have no interval. *no kernel
without a schedule* is when the first sum was there at all."""
STAGE_NOTE = """From the start of each job to its end, added up; two jobs that ran side by side
count each for itself. Of a job that was interrupted only the last run is in it."""


def times_table(run: Run) -> str:
    """Each transfer's time beside that of a search of the target's own."""
    lines = []
    for block in run.blocks:
        own = block.line(ANSOR)
        full = own.middle("search_seconds") if own else None
        for line in block.lines:
            seconds, match = line.middle("search_seconds"), line.middle("ansor_seconds_to_match")
            method = method_of(line.method)
            alone = bool(method.source_logs) and not method.goes_on_from
            if not alone or not seconds or not full:
                continue
            never = match == math.inf
            after = "never" if never else NONE if match is None else duration(match)
            over = f"over {full / seconds:.1f}x" if never else f"{(match or 0) / seconds:.1f}x"
            lines.append(
                (
                    block.target, line.label, interval(run.ratio(line, OVER_ANSOR)),
                    duration(seconds), duration(full), percent(seconds / full), after,
                    NONE if match is None else over,
                )
            )  # fmt: skip
    heads = (
        "target", "method", "of Ansor", "search", "Ansor's search", "share of it",
        "the same sum after", "over the transfer's time",
    )  # fmt: skip
    return table(heads, lines)


def counts_table(run: Run) -> str:
    """How far Ansor's searches were after some trials."""
    lines = []
    for model, curve in run.curves.items():
        if not curve.moments:
            continue
        first, last = curve.moments[0], curve.moments[-1]
        reached = [curve.after(count) for count in run.counts]
        cells = [
            f"{one.model_ms / last.model_ms:.3f}, {duration(one.seconds)}" if one else NONE
            for one in reached
        ]
        start = f"{first.trials:,} trials, {duration(first.seconds)}"
        lines.append((model, f"{number(last.model_ms)} ms", *cells, start))
    heads = (
        "model", "sum at the end", *(f"{count:,} trials" for count in run.counts),
        "no kernel without a schedule",
    )  # fmt: skip
    return table(heads, lines)


def stages_table(run: Run) -> str:
    """Wall time by stage."""
    heads = ("stage", "jobs", "wall time", "longest job")
    lines = [(x.stage, x.jobs, duration(x.seconds), duration(x.longest)) for x in run.stages]
    return table(heads, lines)
