"""What else a machine did while something was measured."""

import os

from rivulet.hardware.conduct import (
    Conduct,
    Counters,
    clocks,
    conduct_between,
    read_counters,
    worst_of,
)


def counters(at, busy, own, stolen=0.0, throttles=0, limited=0.0):
    return Counters(at, busy, own, stolen, throttles, limited)


def test_what_this_process_used_is_nobody_elses():
    seen = conduct_between(counters(0, 100, 50), counters(10, 120, 70), cpus=2)
    assert seen == Conduct(10, 0.0, 0.0, 0, 0.0)
    assert seen.complaints == []


def test_others_the_hypervisor_heat_and_quotas_are_told():
    before = counters(0, 100, 50)
    after = counters(10, 122, 68, stolen=1.0, throttles=3, limited=0.5)
    seen = conduct_between(before, after, cpus=2)
    assert (seen.others, seen.stolen, seen.throttles, seen.limited) == (0.2, 0.05, 3, 0.025)
    assert seen.complaints == [
        "other processes took 20% of the CPUs",
        "the hypervisor took 5% of the CPUs",
        "cores were slowed down for heat 3 time(s)",
        "a CPU quota withheld 2% of the CPUs",
    ]


def test_what_is_not_readable_is_no_complaint():
    before, after = (Counters(at, at, at, 0.0, None, None) for at in (0.0, 10.0))
    seen = conduct_between(before, after, 1)
    assert (seen.throttles, seen.limited, seen.complaints) == (None, None, [])


def test_the_worst_of_several_times_is_told_once():
    seen = [
        Conduct(1.0, 0.06, 0.0, 1, None, 0.97),
        Conduct(1.0, 0.09, 0.03, 2, None, 0.98),
    ]
    assert worst_of(seen).complaints == [
        "other processes took 9% of the CPUs",
        "the hypervisor took 3% of the CPUs",
        "cores were slowed down for heat 3 time(s)",
    ]
    assert worst_of([]).complaints == []
    slow, fast = (Conduct(1.0, 0.0, 0.0, None, None, speed) for speed in (0.7, 1.3))
    assert worst_of([slow, fast]).complaints == ["the machine ran at 70% of its peak"]
    assert "is to be measured again" in worst_of([fast]).complaints[0]


def test_a_moment_says_nothing():
    seen = conduct_between(counters(0, 0, 0), counters(0.1, 5, 0), cpus=1)
    assert seen.others == 0
    assert seen.complaints == []


def test_this_machine_has_counters_that_grow():
    cpus = sorted(os.sched_getaffinity(0))
    before = read_counters(cpus)
    total = 0
    while read_counters(cpus).own < before.own + 0.2:  # work until the clocks have ticked
        total += sum(range(1000))
    after = read_counters(cpus)
    assert after.at > before.at
    assert after.busy >= before.busy + 0.1
    assert all(rate > 0 for rate in clocks().get("mhz", [1]))
