"""What the page of a finished run is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rivulet.benchmark.table import MethodRow
from rivulet.droplet.study import EffectRow
from rivulet.measure.ratios import Ratio
from rivulet.records.curve import Curve
from rivulet.report.blocks import Block, Line, blocks_of
from rivulet.report.reference.combined import combined
from rivulet.report.reference.earlier import EarlierPair
from rivulet.report.reference.stage_times import StageTime


@dataclass(frozen=True)
class Run:
    """A finished run, as far as the page tells of it.

    Attributes:
        rows: The collected benchmark table, of one hardware and trial count.
        confidence: Of the intervals.
        droplet_trials: Trials of droplet search per model, as configured.
        curves: Model to the curve of its Ansor search.
        counts: Trial counts at which the curve is told.
        effects: Droplet search around transfers; those without repetitions come from the tables
            of the pairs.
        earlier: Source and target to what others published of the pair.
        stages: Wall time by stage.
        facts: What the run was made with, name to value.
    """

    rows: list[MethodRow]
    confidence: float
    droplet_trials: int
    curves: Mapping[str, Curve]
    counts: Sequence[int]
    effects: Sequence[EffectRow] = ()
    earlier: Mapping[tuple[str, str], EarlierPair] = field(default_factory=dict)
    stages: Sequence[StageTime] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> list[Block]:
        """Its table by target."""
        return blocks_of(self.rows)

    def ratio(self, line: Line | None, column: str) -> Ratio | None:
        """A ratio of a method over all tables that have timed it; None where none has."""
        return combined(line.rows, column, self.confidence) if line else None
