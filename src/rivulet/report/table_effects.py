"""What droplet search changes around transfers, by the tables of the pairs alone.

The study `droplet_effect` times all variants of a pair in the same processes, and leaves the pool
out. A run without it has the same comparisons, one of them with less precision: a transfer from a
log without droplet and one from a log with it stand in two tables, each beside Ansor's own
schedules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.measure.ratios import Ratio
from rivulet.measure.statistics import geometric_interval, median
from rivulet.report.answers import Row, Variant, answers
from rivulet.report.inputs import REFINED, TRANSFER
from rivulet.report.verdicts import OVER_ANSOR

_DROPLET, _ANSOR = Variant("droplet"), Variant("ansor")


def table_effects(
    rows: Sequence[Row], samples: Mapping[tuple[str, str], Sequence[Row]], confidence: float
) -> list[EffectRow]:
    """The comparisons of the study, as far as the tables have them.

    Args:
        rows: Of the collected benchmark table, of one hardware and trial count.
        samples: Source and target to the samples of the pair's table from the log without droplet.
        confidence: Of the intervals.
    """
    effects = []
    for target, found in answers(rows).items():
        by_variant = {answer.variant: answer for answer in found}
        sources = dict.fromkeys(v.source for v in by_variant if v.method == TRANSFER)
        own = by_variant.get(_DROPLET)
        alone = own.ratio(OVER_ANSOR, confidence) if own else None
        for source in sources:
            plain, moved = (
                by_variant.get(Variant(TRANSFER, source, log)) for log in ("ansor", "droplet")
            )
            before = None
            if plain and moved:
                before = _quotient(
                    moved.ratio(OVER_ANSOR, confidence), plain.ratio(OVER_ANSOR, confidence)
                )
            after = _paired(samples.get((source, target), ()), confidence)
            for comparison, ratio, names in (
                (OWN_LOG, alone, ("droplet", "ansor")),
                (BEFORE_TRANSFER, before, ("transfer from droplet", TRANSFER)),
                (AFTER_TRANSFER, after, (REFINED, TRANSFER)),
            ):
                if ratio:
                    effects.append(_effect(rows[0], source, target, comparison, names, ratio))
    return effects


def _effect(
    row: Row, source: str, target: str, comparison: str, names: tuple[str, str], ratio: Ratio
) -> EffectRow:
    return EffectRow(
        row["hardware"], target, source, int(row["trials"]), comparison, *names, None, None,
        ratio.value, ratio.low, ratio.high, None, ratio.verdict, "",
    )  # fmt: skip


def _quotient(ours: Ratio | None, theirs: Ratio | None) -> Ratio | None:
    """Quotient of two ratios that were measured apart: their logarithms' errors add in square."""
    if not ours or not theirs:
        return None
    value = math.log(ours.value / theirs.value)
    reach = math.hypot(*(math.log(one.high / one.low) / 2 for one in (ours, theirs)))
    return Ratio(math.exp(value), math.exp(value - reach), math.exp(value + reach))


def _paired(samples: Sequence[Row], confidence: float) -> Ratio | None:
    """Latency of the transfer over that after droplet search, from the same processes."""
    groups: dict[str, dict[str, list[float]]] = {}
    for row in samples:
        if row["used"] == "yes" and row["method"] in (TRANSFER, REFINED):
            latencies = groups.setdefault(row["process"], {}).setdefault(row["method"], [])
            latencies.append(float(row["latency_ms"]))
    ratios = [
        median(one[TRANSFER]) / median(one[REFINED]) for one in groups.values() if len(one) == 2
    ]
    return Ratio(*geometric_interval(ratios, confidence)) if len(ratios) > 1 else None
