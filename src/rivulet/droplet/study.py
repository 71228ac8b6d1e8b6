"""What was measured of droplet search: its gain by trials, and its effect around transfers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rivulet.measure.ratios import BETTER, SAME, WORSE

OWN_LOG = "own log"
BEFORE_TRANSFER = "before transfer"
AFTER_TRANSFER = "after transfer"
COMPARISONS = (OWN_LOG, BEFORE_TRANSFER, AFTER_TRANSFER)


@dataclass(frozen=True)
class Stated:
    """A latency without droplet over one with it, as a table states it, and what it shows."""

    value: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class GainRow:
    """What droplet search gained on the log of an Ansor search.

    A number that it lacks is None.

    Attributes:
        hardware: Where it was measured.
        model: The model.
        ansor_trials: Trial count of Ansor's log.
        droplet_trials: Candidates that droplet search had measured on top of it.
        ansor_seconds: Seconds of Ansor's search.
        droplet_seconds: Seconds of droplet search.
        ansor_ms: Sum of the kernels' latencies before it.
        droplet_ms: The same after it.
        gain: The sum before over that after, from samples side by side.
        gain_low: Lower end of its interval.
        gain_high: Upper end.
        gain_verdict: What that shows.
        equal_trials: Trials of Ansor's search that cost as many candidates; empty where its log
            ends before.
        vs_equal_trials: The sum of Ansor's log after these over that after droplet search.
        vs_equal_trials_low: Lower end of its interval.
        vs_equal_trials_high: Upper end.
        equal_trials_verdict: What that shows.
        equal_seconds_trials: Trials that Ansor's search had after as much time.
        vs_equal_seconds: The sum of Ansor's log after these over that after droplet search.
        vs_equal_seconds_low: Lower end of its interval.
        vs_equal_seconds_high: Upper end.
        equal_seconds_verdict: What that shows.
        kernels: Kernels of the model.
        kernels_faster: Those that droplet search made faster, by a test.
        kernels_slower: Those that became slower.
    """

    hardware: str
    model: str
    ansor_trials: int
    droplet_trials: int
    ansor_seconds: float | None
    droplet_seconds: float | None
    ansor_ms: float | None
    droplet_ms: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    gain_verdict: str
    equal_trials: int | None
    vs_equal_trials: float | None
    vs_equal_trials_low: float | None
    vs_equal_trials_high: float | None
    equal_trials_verdict: str
    equal_seconds_trials: int | None
    vs_equal_seconds: float | None
    vs_equal_seconds_low: float | None
    vs_equal_seconds_high: float | None
    equal_seconds_verdict: str
    kernels: int | None
    kernels_faster: int | None
    kernels_slower: int | None

    def __post_init__(self) -> None:
        """Refuse what would silently fall out of the counts."""
        for verdict in (self.gain_verdict, self.equal_trials_verdict, self.equal_seconds_verdict):
            _expect(verdict, _VERDICTS)

    @property
    def over_before(self) -> Stated | None:
        """Against the log that droplet started from."""
        return _ratio(self.gain, self.gain_low, self.gain_high, self.gain_verdict)

    @property
    def over_equal_trials(self) -> Stated | None:
        """Against Ansor's search gone on for as many trials."""
        low, high = self.vs_equal_trials_low, self.vs_equal_trials_high
        return _ratio(self.vs_equal_trials, low, high, self.equal_trials_verdict)

    @property
    def over_equal_seconds(self) -> Stated | None:
        """Against Ansor's search gone on for as many seconds."""
        low, high = self.vs_equal_seconds_low, self.vs_equal_seconds_high
        return _ratio(self.vs_equal_seconds, low, high, self.equal_seconds_verdict)


@dataclass(frozen=True)
class EffectRow:
    """What droplet search changed at one place of a pair.

    A number that it lacks is None.

    Attributes:
        hardware: Where it was measured.
        target: The target.
        source: The source.
        trials: Trial count of the logs.
        comparison: ``own log``, ``before transfer`` or ``after transfer``.
        method: The variant with droplet search.
        baseline: The variant without.
        baseline_ms: Latency without.
        method_ms: Latency with.
        effect: Latency without over that with, from the same processes.
        effect_low: Lower end of its interval.
        effect_high: Upper end.
        repetitions: Processes behind it.
        verdict: What that shows.
        reason: The kernels with other schedules that make most of the difference.
    """

    hardware: str
    target: str
    source: str
    trials: int
    comparison: str
    method: str
    baseline: str
    baseline_ms: float | None
    method_ms: float | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    repetitions: int | None
    verdict: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse what would silently fall out of the counts."""
        _expect(self.comparison, COMPARISONS)
        _expect(self.verdict, _VERDICTS)

    @property
    def ratio(self) -> Stated | None:
        """The effect with its interval."""
        return _ratio(self.effect, self.effect_low, self.effect_high, self.verdict)


_VERDICTS = (BETTER, WORSE, SAME, "")


def _expect(text: str, known: Collection[str]) -> None:
    if text not in known:
        raise ValueError(f"{text!r} is none of {', '.join(filter(None, known))}")


def _ratio(
    value: float | None, low: float | None, high: float | None, verdict: str
) -> Stated | None:
    if value is None:
        return None
    return Stated(value, value if low is None else low, value if high is None else high, verdict)
