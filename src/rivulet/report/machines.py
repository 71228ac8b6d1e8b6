"""Hardware side by side: what each target's fastest method takes on each machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rivulet.measure.ratios import SAME
from rivulet.methods import ONNXRUNTIME, baselines
from rivulet.provenance import Record
from rivulet.provenance.machines import processor
from rivulet.report.blocks import Block, Line, fastest_method
from rivulet.report.wording import latency_text


@dataclass(frozen=True)
class Best:
    """A latency on one hardware.

    Attributes:
        label: The method.
        trials: Trial count of its log.
        latency_ms: Its latency, the median over the pair runs that timed it.
        low: Lower end of its interval in ms, over all of these.
        high: Upper end.
    """

    label: str
    trials: int
    latency_ms: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The latency alone."""
        return latency_text(self.latency_ms, self.low, self.high)[0]

    @property
    def interval(self) -> str:
        """Its interval."""
        _, low, high = latency_text(self.latency_ms, self.low, self.high)
        return f"{low}–{high}"


@dataclass(frozen=True)
class OnHardware:
    """A target on one hardware.

    Attributes:
        best: Its fastest method over all trial counts; None where none has a latency.
        runtime: ONNX Runtime, from the pair runs of that target and trial count; None where it was
            not timed.
    """

    best: Best | None
    runtime: Best | None


@dataclass(frozen=True)
class SideBySide:
    """Targets by hardware.

    Attributes:
        hardware: Name of each hardware to its CPUs and threads, in words.
        targets: Target to what it takes on each hardware, in the same order, and where it is
            fastest.
    """

    hardware: dict[str, str]
    targets: dict[str, tuple[list[OnHardware], str]]


def side_by_side(blocks: Sequence[Block], records: Mapping[Path, Record]) -> SideBySide | None:
    """Targets by hardware; None where there is one hardware only.

    Args:
        blocks: The benchmark table by hardware, trials and target.
        records: Records of the pair runs, which say what the machines are.
    """
    names = sorted({block.setting.hardware for block in blocks})
    if len(names) < 2:
        return None
    targets = {}
    for target in sorted({block.target for block in blocks}):
        found = [
            _on([b for b in blocks if (b.target, b.setting.hardware) == (target, name)])
            for name in names
        ]
        targets[target] = (found, _fastest_on(dict(zip(names, found, strict=True))))
    return SideBySide({name: _machine(name, records.values()) for name in names}, targets)


def _on(blocks: Sequence[Block]) -> OnHardware:
    """What a target takes on one hardware, at whichever trial count it is fastest."""
    found = [(best, block) for block in blocks if (best := _best(block)) is not None]
    if not found:
        runtimes = [one for block in blocks if (one := _runtime(block)) is not None]
        return OnHardware(None, runtimes[0] if runtimes else None)
    best, block = min(found, key=lambda one: one[0].latency_ms)
    return OnHardware(best, _runtime(block))


def _best(block: Block) -> Best | None:
    if fastest := fastest_method(block):
        return _latency(fastest.line, block)
    # Without a latency of Ansor's there is no ratio to go by.
    tuned = [line for line in block.lines if line.timed and line.method not in baselines()]
    every = [_latency(line, block) for line in tuned]
    return min(every, key=lambda one: one.latency_ms, default=None)


def _runtime(block: Block) -> Best | None:
    line = block.line(ONNXRUNTIME)
    return _latency(line, block) if line else None


def _latency(line: Line, block: Block) -> Best:
    middles = [row.latency_ms for row in line.timed if row.latency_ms is not None]
    ends = [row.interval for row in line.timed if row.interval is not None]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return Best(line.label, block.setting.trials, statistics.median(middles), low, high)


def _fastest_on(found: Mapping[str, OnHardware]) -> str:
    """The hardware whose interval is below all others'."""
    timed = {name: one.best for name, one in found.items() if one.best is not None}
    if len(timed) < 2:
        return "–"
    name = min(timed, key=lambda one: timed[one].latency_ms)
    others = [best for other, best in timed.items() if other != name]
    return name if all(timed[name].high < best.low for best in others) else SAME


def _machine(hardware: str, records: Iterable[Record]) -> str:
    said: dict[str, None] = {}
    for record in records:
        facts = record.facts.get("environment") or {}
        name = processor(facts)
        if record.subject.get("hardware") == hardware and name:
            threads = facts.get("threads")
            said[f"{name}{f', {threads} threads' if threads else ''}"] = None
    return "; ".join(said) or "unknown CPU"
