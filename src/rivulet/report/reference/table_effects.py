"""What droplet search changes around transfers, by the tables of the pairs alone.

The study `droplet_effect` times all variants of a pair in the same processes, and leaves the pool
out. A run without it has the same comparisons, one of them with less precision: a transfer from a
log without droplet and one from a log with it stand in two tables, each beside Ansor's own
schedules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rivulet.benchmark.estimates import Sampling, estimate_ratio
from rivulet.benchmark.table import MethodRow, SampleRow
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.measure.ratios import Ratio
from rivulet.methods import ANSOR, DROPLET, TRANSFER, TRANSFER_DROPLET
from rivulet.report.reference.combined import combined
from rivulet.report.verdicts import OVER_ANSOR


def table_effects(
    rows: Sequence[MethodRow],
    samples: Mapping[tuple[str, str], Sequence[SampleRow]],
    sampling: Sampling,
) -> list[EffectRow]:
    """The comparisons of the study, as far as the tables have them.

    Args:
        rows: Of the collected benchmark table, of one hardware and trial count.
        samples: Source and target to the samples of the pair's table from the log without droplet.
        sampling: How intervals are made.

    Returns:
        Rows without repetitions and latencies.
    """
    effects = []
    for source, target in dict.fromkeys((row.source, row.target) for row in rows):
        own = [row for row in rows if row.target == target and row.method == DROPLET]
        moved = {
            row.log: row
            for row in rows
            if (row.source, row.target, row.method) == (source, target, TRANSFER)
        }
        ratios = {
            OWN_LOG: combined(own, OVER_ANSOR, sampling.confidence),
            BEFORE_TRANSFER: _quotient(moved, sampling.confidence),
            AFTER_TRANSFER: _paired(samples.get((source, target), ()), sampling),
        }
        effects += [
            _effect(rows[0], source, target, comparison, ratio=ratio)
            for comparison, ratio in ratios.items()
            if ratio
        ]
    return effects


_COMPARED = {
    OWN_LOG: (DROPLET, ANSOR),
    BEFORE_TRANSFER: ("transfer from droplet", TRANSFER),
    AFTER_TRANSFER: (TRANSFER_DROPLET, TRANSFER),
}


def _effect(
    row: MethodRow, source: str, target: str, comparison: str, *, ratio: Ratio
) -> EffectRow:
    method, baseline = _COMPARED[comparison]
    return EffectRow(
        hardware=row.hardware,
        target=target,
        source=source,
        trials=row.trials,
        comparison=comparison,
        method=method,
        baseline=baseline,
        baseline_ms=None,
        method_ms=None,
        effect=ratio.value,
        effect_low=ratio.low,
        effect_high=ratio.high,
        repetitions=None,
        verdict=ratio.verdict,
        reason="",
    )


def _quotient(moved: Mapping[str, MethodRow], confidence: float) -> Ratio | None:
    """Of two ratios to Ansor that were measured apart: their logarithms' errors add in square."""
    plain, refined = (
        combined([moved[log]], OVER_ANSOR, confidence) if log in moved else None
        for log in (ANSOR, DROPLET)
    )
    if not plain or not refined:
        return None
    value = math.log(refined.value / plain.value)
    reach = math.hypot(*(math.log(one.high / one.low) / 2 for one in (plain, refined)))
    return Ratio(math.exp(value), math.exp(value - reach), math.exp(value + reach))


def _paired(samples: Sequence[SampleRow], sampling: Sampling) -> Ratio | None:
    """Latency of the transfer over that after droplet search, from the same processes."""
    processes = dict.fromkeys(row.process for row in samples if row.used == "yes")
    before, after = (
        [
            [row.latency_ms for row in samples if (row.process, row.method) == (process, method)]
            for process in processes
        ]
        for method in (TRANSFER, TRANSFER_DROPLET)
    )
    if not any(a and b for a, b in zip(before, after, strict=True)):
        return None
    return estimate_ratio(before, after, sampling)
