"""Which of the candidates that ran is taken, by made-up latencies; no TVM, no hardware."""

import logging
from types import SimpleNamespace

import pytest

from rivulet.measure.protocol import Comparison, Measurement, WorkerFailure
from rivulet.transfer.case import Case, Tried
from rivulet.transfer.culprits import replace_wrong
from rivulet.transfer.settle import settle
from rivulet.transfer.table import CandidateRow

SETTINGS = SimpleNamespace(seed=0, significance=0.05, confirm_repeats=8, tolerance=1e-3)
FIRST = 3  # samples of the first look
MODEL = 100e-6  # seconds that all kernels take


class Bench:
    """Gives each schedule the latency that it has when looked at again; None is a crash."""

    def __init__(self, again, wrong=()):
        self.again, self.wrong = again, wrong
        self.looked, self.measured, self.compared = [], [], []

    def measure_interleaved(self, modules, rounds, seed):
        self.looked.append(list(modules))
        times = [self.again[name] for name in modules]
        if None in times:
            return [Measurement((), "run crash") for _ in modules]
        return [Measurement(tuple(t * (1 + i * 1e-3) for i in range(rounds))) for t in times]

    def compare(self, modules, references, seed):
        self.compared += modules
        seen = {"crash": WorkerFailure("crash", "gone"), "differs": Comparison(0.5, 0.0, 0.0)}
        return [
            seen[self.wrong[name]] if name in self.wrong else Comparison(1e-6, 0.0, 0.0)
            for name in modules
        ]

    def measure(self, modules, best=None, groups=None):
        self.measured += modules
        return [Measurement((self.again[name],) * FIRST) for name in modules]


def tried(name, latency=None):
    one = Tried(CandidateRow("kernel", "conv2d", 1, 1e6), SimpleNamespace(mod=name))
    if latency is not None:
        one.take(Measurement((latency,) * FIRST))
    return one


def case(default=None, **latencies):
    """A kernel with candidates by name and their first latency in microseconds.

    Its default schedule takes that long within the model, if that is told.
    """
    made = Case.__new__(Case)
    made.kernel = SimpleNamespace(task="kernel", weight=1)
    made.default, made.winner, made.settled = tried("default"), None, False
    made.kept_because = ""
    if default is not None:
        made.default.take(Measurement((default * 1e-6,)))
    made.tried = [tried(name, latency * 1e-6) for name, latency in latencies.items()]
    return made


def decide(one, model=MODEL, **again):
    """What is taken, what was raced, and the races among candidates and with the default."""
    bench = Bench({k: v and v * 1e-6 for k, v in again.items()})
    raced = settle([one], model, SETTINGS, bench)
    names = {t.schedule.mod for t in one.tried if id(t) in raced}
    return one.taken.schedule.mod, names, bench


def test_those_close_to_the_fastest_are_measured_again_and_decide():
    taken, raced, bench = decide(case(a=10, b=10.2, c=30, default=2000), a=12, b=11, c=9)
    assert (taken, raced, bench.looked) == ("b", {"a", "b"}, [["a", "b"]])


def test_the_fastest_by_far_is_not_measured_again_nor_is_a_default_that_is_far_slower():
    taken, raced, bench = decide(case(a=10, b=20, c=40, default=2000))
    assert (taken, raced, bench.looked, bench.measured) == ("a", set(), [], [])


def test_luck_of_a_first_look_does_not_outlive_that_of_another():
    taken, raced, bench = decide(case(a=10, b=10.1, c=12, d=40, default=2000), a=30, b=12, c=13)
    # c seemed as fast as what b turned out to be, and would have been taken for its own luck.
    assert (taken, raced) == ("b", {"a", "b", "c"})
    assert bench.looked == [["a", "b"], ["c", "b"]] or bench.looked == [["a", "b"], ["b", "c"]]


def test_a_finalist_that_crashes_leaves_the_place_to_another():
    taken, raced, _ = decide(case(a=10, b=10.1, c=20, default=2000), a=None, b=None)
    assert (taken, raced) == ("c", {"a", "b"})


def test_no_close_race_is_run_for_a_kernel_that_is_a_small_part_of_the_model():
    taken, raced, bench = decide(case(a=10, b=10.2, default=2000), model=0.1)
    assert (taken, raced, bench.looked) == ("a", set(), [])


def test_a_kernel_that_shows_in_no_model_keeps_its_default_loops_and_says_why():
    one = case(a=1, default=1.5)
    assert decide(one, model=0.1)[0] == "default"
    assert one._why_not(one.tried[0]).startswith("the kernel is too small a part of the model")


@pytest.mark.parametrize(("again", "taken"), [(9, "default"), (10, "default"), (11, "a")])
def test_what_is_near_to_the_default_is_taken_if_it_wins_a_race(again, taken):
    one = case(a=10, default=12)
    found, raced, bench = decide(one, a=10, default=again)
    assert (found, raced, bench.measured) == (taken, {"a"}, ["default"])
    # The race ends with its first half where that is clear.
    assert len(bench.looked) == (2 if again == 10 else 1)


@pytest.mark.parametrize(("again", "taken"), [(8, "default"), (13, "a")])
def test_samples_that_are_apart_need_no_race(again, taken):
    found, raced, bench = decide(case(a=10, default=12), default=again)
    assert (found, raced, bench.measured, bench.looked) == (taken, set(), ["default"], [])


def test_a_default_that_is_faster_even_with_the_clocks_cost_needs_no_race():
    taken, _, bench = decide(case(a=20, default=12))
    assert (taken, bench.looked) == ("default", [])


@pytest.mark.parametrize(("seconds", "taken"), [(1.3, "a"), (1.1, "default")])
def test_loops_of_seconds_are_not_run_again(seconds, taken):
    found, _, bench = decide(case(a=1e6, default=seconds * 1e6), model=3.0)
    assert (found, bench.looked, bench.measured) == (taken, [], [])


def test_a_default_of_which_nothing_is_known_is_measured_once():
    taken, _, bench = decide(case(a=10), default=2000)
    assert (taken, bench.measured, bench.looked) == ("a", ["default"], [])


def test_a_kernel_whose_candidates_all_failed_keeps_its_default_loops():
    one = case(a=10, default=50)
    one.tried[0].take(Measurement((), "build error: x"))
    assert decide(one)[0] == "default"


def settled(wrong, **latencies):
    one = case(**latencies, default=2000)
    settle([one], MODEL, SETTINGS, Bench({}))
    bench = Bench({}, wrong)
    changed = replace_wrong([one], SETTINGS, bench, logging.getLogger("test"))
    return one, bench, changed


def test_a_right_schedule_stays():
    one, bench, changed = settled({}, a=10, b=20)
    assert (one.taken.schedule.mod, changed, bench.compared) == ("a", [], ["a"])


@pytest.mark.parametrize("how", ["crash", "differs"])
def test_the_next_that_is_right_takes_the_place_of_a_wrong_one(how):
    one, bench, changed = settled({"a": how, "b": how}, a=10, b=20, c=40)
    assert (one.taken.schedule.mod, changed, bench.compared) == ("c", ["kernel"], ["a", "b", "c"])
    assert [t.row.correct for t in one.tried] == ["no", "no", "yes"]
    assert [t.row.chosen for t in one.tried] == ["", "", "yes"]
    assert "output" in one.tried[0].row.reason


def test_a_kernel_of_which_all_are_wrong_keeps_its_default_loops():
    one, _, changed = settled({"a": "differs"}, a=10)
    assert (one.taken, one.taken.row.chosen, changed) == (one.default, "yes", ["kernel"])
