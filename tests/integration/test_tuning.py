"""A session under a strategy that is as simple as can be: random search, on a made-up machine."""

import logging

import pytest

from rivulet.errors import UserError
from rivulet.measure.protocol import Measurement
from rivulet.measure.replay import ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.tuning import Candidate, Role, Session, TrialBudget, tune
from rivulet.tuning.kernel_state import Alternative
from rivulet.tuning.recorder import Recorder
from workflow.new_strategy import RandomSearch

LOGGER = logging.getLogger("test")


class Noting(RandomSearch):
    """Random search that keeps what it learned."""

    def __init__(self, seed, per_batch=3):
        super().__init__(seed, per_batch)
        self.learned = []

    def learn(self, candidates, results):
        self.learned += [result.latency for result in results]


class Counting(ReplayBench):
    """A made-up machine that counts what it is asked, and may be switched off."""

    asked, most = 0, 10**6

    def measure(self, modules, *more):
        self.asked += len(modules)
        if self.asked > self.most:
            raise KeyboardInterrupt
        return super().measure(modules, *more)


def session_of(kernels, target, folder, bench=None, **more):
    log = TuningLog(folder, LOGGER)
    bench = bench or Counting(surrogate=LoopSurrogate(target, 1))
    more.setdefault("logger", LOGGER)
    return Session(kernels, target=target, threads=1, log=log, bench=bench, **more)


def rows(log):
    return [
        [t.trial, t.batch, t.kernel, t.strategy, t.candidate, t.samples_us, t.best_us, t.model_ms]
        for t in log.trials
    ]


def test_a_strategy_needs_no_more_than_to_propose_and_to_learn(kernels, target, tmp_path):
    told = []
    session = session_of(
        kernels, target, tmp_path, report=lambda done, text: told.append((done, text))
    )
    strategy = Noting(1)
    tune(strategy, session, TrialBudget(20, [7]))
    trials = session.log.trials
    assert [t.trial for t in trials] == list(range(1, 21))
    assert {t.strategy for t in trials} == {"random"}
    assert [done for done, _ in told] == [3, 6, 7, 10, 13, 16, 19, 20]  # none goes across 7
    assert told[-1][1].startswith("model ")
    assert len(strategy.learned) == 20
    # The log has the schedules, and each kernel's latency is the least that was measured.
    for place, kernel in enumerate(kernels):
        own = [t.median_us * 1e-6 for t in trials if t.kernel == kernel.task]
        assert session.states[place].best == pytest.approx(min(own), rel=1e-3)
        assert session.log.best_records(kernel, 1)
    last = [t for t in trials if t.model_ms]
    assert float(last[-1].model_ms) == pytest.approx(session.model_seconds * 1e3, abs=1e-6)
    assert [float(t.model_ms) for t in last] == sorted(float(t.model_ms) for t in last)[::-1]


def test_it_resumes_without_a_line_of_its_own(kernels, target, tmp_path):
    whole = session_of(kernels, target, tmp_path / "whole")
    tune(Noting(2), whole, TrialBudget(18))
    bench = Counting(surrogate=LoopSurrogate(target, 1))
    bench.most = 8
    with pytest.raises(KeyboardInterrupt):
        tune(Noting(2), session_of(kernels, target, tmp_path / "cut", bench), TrialBudget(18))
    assert rows(TuningLog(tmp_path / "cut")) == rows(whole.log)[:6]  # the batch in flight is lost
    again = session_of(kernels, target, tmp_path / "cut")
    tune(Noting(2), again, TrialBudget(18))
    assert rows(again.log) == rows(whole.log)
    assert again.bench.asked == 12


def test_what_the_log_has_is_not_measured_again_where_other_code_goes_another_way(
    kernels, target, tmp_path, caplog
):
    first = session_of(kernels, target, tmp_path)
    tune(Noting(3, per_batch=2), first, TrialBudget(8))
    again = session_of(kernels, target, tmp_path)
    with caplog.at_level("WARNING"):
        tune(Noting(3, per_batch=4), again, TrialBudget(12))
    assert "another way" in caplog.text
    names = [(t.kernel, t.candidate) for t in again.log.trials]
    assert len(names) == len(set(names))


def test_a_session_in_which_nothing_runs_says_why(kernels, target, tmp_path):
    class Broken(Counting):
        def measure(self, modules, *more):
            return [Measurement((), "build error: no compiler") for _ in modules]

    session = session_of(kernels, target, tmp_path, Broken())
    with pytest.raises(UserError, match=r"not one of 4 candidates .* no compiler"):
        tune(Noting(4), session, TrialBudget(4))
    assert len(session.log.trials) == 4


def test_the_fastest_of_a_kernels_alternatives_counts(kernels, target, tmp_path):
    session = session_of(kernels[:1], target, tmp_path)
    (state,) = session.states
    assert [one.name for one in state.alternatives] == ["direct"]
    state.alternatives.append(Alternative("winograd"))
    state.improve(3e-3)
    state.improve(2e-3, alternative=1)
    assert state.best == 2e-3
    state.improve(1e-3)
    assert state.best == 1e-3
    assert state.alternatives[1].best == 2e-3


def test_a_confirmation_is_recorded_and_changes_no_latency(kernels, target, tmp_path):
    class Confirming(Noting):
        def finish(self):
            best = [self._sample(0), self._sample(0)]
            again = [Candidate(0, one.schedule, one.name, Role.CONFIRM) for one in best]
            self.seen = self.session.in_turns(again, 4)
            self.session.end_batch()

    session = session_of(kernels, target, tmp_path)
    strategy = Confirming(5)
    tune(strategy, session, TrialBudget(6))
    confirmed = [t for t in session.log.trials if t.strategy == "random-confirm"]
    assert [len(t.samples) for t in confirmed] == [4, 4]
    own = [t.median_us * 1e-6 for t in session.log.trials
           if t.strategy == "random" and t.kernel == kernels[0].task]  # fmt: skip
    assert session.states[0].best == pytest.approx(min(own), rel=1e-3)
    recorder = Recorder(session.log, LOGGER)
    recorder.recall()
    assert recorder.known(kernels[0].task, confirmed[0].candidate) is None
