"""Which of the candidates that ran is taken, by made-up latencies; no TVM, no hardware."""

import logging
from types import SimpleNamespace

import pytest

from rivulet.measure.protocol import Comparison, Measurement
from rivulet.transfer.case import Case, Tried
from rivulet.transfer.settle import settle

SETTINGS = SimpleNamespace(seed=0, significance=0.05, confirm_repeats=5, tolerance=1e-3)
FIRST = 3  # samples of the first look


class Bench:
    """Gives each schedule the latency that it has when looked at again; None is a crash."""

    def __init__(self, again):
        self.again, self.looked = again, []

    def measure_interleaved(self, modules, rounds, seed):
        self.looked.append(list(modules))
        times = [self.again[name] for name in modules]
        if None in times:
            return [Measurement((), "run crash") for _ in modules]
        return [Measurement(tuple(t * (1 + i * 1e-3) for i in range(rounds))) for t in times]

    def compare(self, modules, references, seed):
        return [Comparison(0.0, 1e-6, 1e-6) for _ in modules]

    def measure(self, modules):
        return [Measurement((self.again[name],) * FIRST) for name in modules]


def tried(name, latency=None):
    one = Tried(SimpleNamespace(), SimpleNamespace(mod=name))
    if latency is not None:
        one.take(Measurement((latency,) * FIRST))
    return one


def case(**latencies):
    """A kernel whose default takes 50, with candidates by name and their first latency."""
    made = Case.__new__(Case)
    made.kernel = SimpleNamespace(task="kernel")
    made.default, made.winner, made.settled = tried("default", 50e-6), None, False
    made.tried = [tried(name, latency * 1e-6) for name, latency in latencies.items()]
    return made


def decide(one, **again):
    bench = Bench({"default": 50e-6} | {k: v and v * 1e-6 for k, v in again.items()})
    confirmed = settle([one], SETTINGS, bench, logging.getLogger("test"))
    names = {t.schedule.mod for t in one.tried if id(t) in confirmed}
    return one.taken.schedule.mod, names, [g for g in bench.looked if "default" not in g]


def test_those_close_to_the_fastest_are_measured_again_and_decide():
    taken, confirmed, looked = decide(case(a=10, b=10.2, c=30), a=12, b=11, c=9)
    assert (taken, confirmed, looked) == ("b", {"a", "b"}, [["a", "b"]])


def test_luck_of_a_first_look_does_not_outlive_that_of_another():
    taken, confirmed, looked = decide(case(a=10, b=20, c=40), a=30, b=35, c=36)
    # b seemed faster than what a turned out to be, and would have been taken for its own luck.
    assert (taken, confirmed) == ("a", {"a", "b"})
    assert looked == [["a"], ["b"]]


def test_what_turns_out_close_is_measured_side_by_side():
    taken, _, looked = decide(case(a=10, b=20), a=20.5, b=20.2)
    assert looked == [["a"], ["b", "a"]]
    assert taken == "b"


def test_a_finalist_that_crashes_leaves_the_place_to_another_that_is_confirmed():
    taken, confirmed, _ = decide(case(a=10, b=20), a=None, b=21)
    assert (taken, confirmed) == ("b", {"a", "b"})


@pytest.mark.parametrize("again", [50, 60])
def test_no_candidate_is_taken_that_is_not_faster_than_the_default(again):
    taken, _, _ = decide(case(a=10), a=again)
    assert taken == "default"
