"""Axes, walks and descents on made-up spaces: no hardware, no TVM."""

import math
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from comparison.bowl import Bowl, descend, one_round  # noqa: E402
from rivulet.droplet.descent import Acceptance, Descent  # noqa: E402
from rivulet.droplet.walk import Walk  # noqa: E402
from rivulet.measure.protocol import Measurement  # noqa: E402
from rivulet.schedules.axes import OrderedAxis, Space, TileAxis  # noqa: E402
from rivulet.schedules.tiles import splits  # noqa: E402

UP, DOWN = (1,), (-1,)
CRASHED = Measurement((), "run crash: the process was ended by SIGSEGV")


def line(size):
    return OrderedAxis(tuple((value,) for value in range(size)))


def grid(*sizes):
    return Space(tuple(line(size) for size in sizes))


def reached(space, start):
    """All points that steps lead to."""
    seen, front = {start}, [start]
    while front:
        point = front.pop()
        for step in space.steps(point):
            found = space.after(point, [step])
            if found not in seen:
                seen.add(found)
                front.append(found)
    return seen


def walk_on(space, *start, seed=1):
    return Walk(space, tuple((value,) for value in start), random.Random(seed))


def proposal(walk, *steps):
    """The walk's own proposal of some steps; it must come before the neighbourhood is used up."""
    while found := walk.propose(1):
        if found[0].steps == steps:
            return found[0]
    raise AssertionError(f"{steps} is not proposed")


# --- Axes ----------------------------------------------------------------------------------------
SMALL = Space((TileAxis(), line(3), TileAxis(8), line(2)))
SMALL_START = ((3, 4, 1), (0,), (4, 4), (1,))


def test_steps_lead_to_every_point_of_a_space_and_to_no_other():
    seen = reached(SMALL, SMALL_START)
    tiles, limited = set(splits(12, 3)), set(splits(16, 2, 8))
    assert len(seen) == len(tiles) * 3 * len(limited) * 2
    for tile, place, other, switch in seen:
        assert tile in tiles
        assert other in limited
        assert place[0] in range(3)
        assert switch[0] in range(2)


def test_every_step_has_a_step_back_to_the_same_point():
    for point in reached(SMALL, SMALL_START):
        others = [SMALL.after(point, [step]) for step in SMALL.steps(point)]
        assert len(set(others)) == len(others)
        assert point not in others
        for other in others:
            assert [SMALL.after(other, [step]) for step in SMALL.steps(other)].count(point) == 1


def test_the_ends_of_an_axis_are_no_neighbours():
    axis = OrderedAxis(((512,), (0,), (16,)))  # in the order that is given, not by number
    assert axis.changes((512,)) == [UP]
    assert axis.after((512,), UP) == (0,)
    assert axis.changes((0,)) == [UP, DOWN]
    assert axis.changes((16,)) == [DOWN]
    assert axis.after((512,), DOWN) is None
    assert axis.after((16,), UP) is None
    assert axis.changes((7,)) == []


def test_steps_that_are_not_possible_one_after_the_other_lead_nowhere():
    space = grid(3, 3)
    assert space.after(((1,), (0,)), [(0, UP), (1, UP)]) == ((2,), (1,))
    assert space.after(((1,), (0,)), [(0, UP), (0, UP)]) is None
    assert space.after(((1,), (0,)), [(0, UP), (1, DOWN)]) is None


# --- Walks ---------------------------------------------------------------------------------------
def test_a_step_that_won_is_tried_again_and_then_longer():
    walk = walk_on(grid(40, 40), 10, 10)
    walk.move(proposal(walk, (0, UP)))
    again = walk.propose(1)[0]
    assert again.point == ((12,), (10,))
    walk.move(again)
    two, one = walk.propose(2)
    assert [two.point, one.point] == [((14,), (10,)), ((13,), (10,))]
    walk.move(two)
    four = walk.propose(1)[0]
    assert four.point == ((18,), (10,))
    walk.move(four)
    walk.move(walk.propose(1)[0])
    assert (walk.moves, walk.point) == (5, ((26,), (10,)))
    # No leap is longer than eight steps, however often one has won.
    assert max(one.point[0][0] for one in walk.propose(99)) == 34


def test_a_leap_stops_at_the_end_of_its_axis():
    walk = walk_on(grid(5, 5), 0, 2)
    walk.move(proposal(walk, (0, UP)))
    walk.move(walk.propose(1)[0])
    two, one, *others = walk.propose(9)
    assert [two.point, one.point] == [((4,), (2,)), ((3,), (2,))]
    walk.move(two)
    assert all(0 <= value <= 4 for one in walk.propose(99) for (value,) in one.point)
    assert all(len(one.steps) == 1 for one in others)


def test_what_looked_faster_beside_the_winner_is_tried_with_it_at_once():
    walk = walk_on(grid(9, 9, 9, 9), 4, 4, 4, 4)
    for one in walk.propose(8):
        ratios = {(0, UP): 0.8, (1, UP): 0.9, (2, DOWN): 0.95, (3, UP): 0.999, (0, DOWN): 1.2}
        walk.learn(one, ratios.get(one.steps[0], 1.1))
        if one.steps == ((0, UP),):
            winner = one
    walk.move(winner)
    momentum, both, best = walk.propose(3)
    assert momentum.point == ((6,), (4,), (4,), (4,))
    assert both.point == ((5,), (5,), (3,), (4,))  # 0.999 is no sign of anything
    assert best.point == ((5,), (5,), (4,), (4,))


def test_directions_that_helped_come_before_those_that_harmed():
    walk = walk_on(grid(9, 9, 9), 4, 4, 4)
    for one in walk.propose(6):
        walk.learn(one, {(1, UP): 1.3, (2, DOWN): 0.995, (0, UP): 0.9}.get(one.steps[0], 1.1))
        if one.steps == ((0, UP),):
            winner = one
    walk.move(winner)
    units = [one.steps[0] for one in walk.propose(99)][1:]  # the first is the winner's again
    assert units[0] == (2, DOWN)
    assert units[-1] == (1, UP)


def test_the_neighbourhood_comes_in_the_order_of_its_promise():
    walk = walk_on(grid(9, 9), 4, 4)
    points = [one.point for one in walk.propose(9, lambda some: [a + 3 * b for (a,), (b,) in some])]
    assert points == [((4,), (5,)), ((5,), (4,)), ((3,), (4,)), ((4,), (3,))]


def test_many_looks_count_more_than_one():
    walk = walk_on(grid(9), 4)
    up, down = sorted(walk.propose(2), key=lambda one: one.point, reverse=True)
    walk.learn(up, 0.9)
    walk.learn(up, 1.02, samples=9)
    walk.learn(down, math.inf)
    (found,) = walk.near(0.05, 5)
    assert found[0] == pytest.approx(math.exp((math.log(0.9) + 9 * math.log(1.02)) / 10))
    assert found[1] == up
    assert walk.near(0.0, 5) == []


def test_steps_that_look_slightly_faster_are_gathered_into_one_leap():
    walk = walk_on(grid(9, 9, 9), 4, 4, 4)
    ratios = {(0, UP): 0.998, (0, DOWN): 0.999, (1, DOWN): 0.997, (2, UP): 0.9995}
    for one in walk.propose(6):
        walk.learn(one, ratios.get(one.steps[0], 1.01))
    assert walk.propose(9) == []
    walk.gather()
    everything, half = walk.propose(9)
    assert everything.point == ((5,), (3,), (5,))
    assert half.point == ((5,), (3,), (4,))


# --- Descents ------------------------------------------------------------------------------------
def test_nothing_is_looked_at_twice():
    for seed in range(5):
        bowl = Bowl(6, 0.03, seed)
        descend(bowl, seed, count=5)
        looked = [bowl.start, *(point for one in bowl.looks for point in one[1:])]
        assert len(looked) == len(set(looked)) > 20
        assert all(len(one) <= 1 + 5 for one in bowl.looks)


def test_a_seed_repeats_a_descent_and_another_takes_another_way():
    def seen(seed):
        bowl = Bowl(6, 0.02, 11)
        return descend(bowl, seed).point, bowl.looks, bowl.turns

    assert seen(1) == seen(1)
    assert seen(2)[1] != seen(1)[1]


def test_a_descent_ends_where_no_neighbour_is_faster():
    for seed in range(10):
        bowl = Bowl(5, 1e-4, seed)
        walk = descend(bowl, seed)
        assert walk.point == bowl.bottom
        assert walk.moves > 0
        neighbours = {bowl.space.after(walk.point, [s]) for s in bowl.space.steps(walk.point)}
        assert neighbours <= {point for one in bowl.looks for point in one}


def test_a_descent_that_starts_at_the_optimum_stays_and_looks_at_its_neighbours_only():
    bowl = Bowl(4, 0.01, 3)
    bowl.start = bowl.bottom
    walk = descend(bowl, 1)
    assert (walk.point, walk.moves) == (bowl.bottom, 0)
    assert sum(len(one) - 1 for one in bowl.looks) == len(bowl.space.steps(bowl.bottom))


def test_before_it_ends_a_descent_looks_again_at_what_was_near_with_more_samples_each_time():
    class Flat(Bowl):
        def seconds(self, point):
            return 1e-3

    flat = Flat(3, 0.01, 1, values=3)
    flat.start = ((1,), (1,), (1,))
    walk = descend(flat, 1)
    assert walk.moves == 0
    again = [(points, rounds) for points, rounds in flat.turns if len(points) > 5]
    assert [rounds for _, rounds in again] == [8, 16, 32, 64]
    looked = {point for one in flat.looks for point in one}
    for points, _ in again:
        assert points[0] == walk.point
        assert set(points) <= looked


class Slight(Bowl):
    """Ten switches, of which the last five gain 0.5 % each, under noise of 2 %.

    Attributes:
        broken: Whether points with the first switch on fail in turns, and take others down.
    """

    broken = False

    def seconds(self, point):
        return 1e-3 * (1 - 0.005 * sum(value for (value,) in point[5:]))

    def in_turns(self, points, rounds):
        if self.broken and ((1,) in [point[0] for point in points]):
            return [CRASHED] * len(points)
        return super().in_turns(points, rounds)


def gained_switches(broken):
    """How many of the sixty switches that gain something some descents have found."""
    gained = 0
    for seed in range(12):
        slight = Slight(10, 0.02, seed, values=2)
        slight.start, slight.broken = ((0,),) * 10, broken
        gained += sum(value for (value,) in descend(slight, seed).point[5:])
    return gained


def test_gains_too_small_to_see_alone_are_found_together():
    assert gained_switches(broken=False) >= 36


def test_a_point_that_fails_in_turns_does_not_cost_the_others_their_second_look():
    assert gained_switches(broken=True) >= 36


def test_what_is_known_is_not_measured_but_may_win():
    bowl = Bowl(3, 0.01, 5)
    bowl.known = lambda points: [bowl.seconds(p) / bowl.seconds(bowl.start) for p in points]
    walk = Walk(bowl.space, bowl.start, random.Random(1))
    descent = Descent(walk, bowl, Acceptance(0.05, 8))
    done = one_round(descent, bowl, 4)
    assert (done.measured, bowl.looks) == (0, [])
    assert walk.moves == 1
    assert done.ratio == pytest.approx(
        bowl.seconds(walk.point) / bowl.seconds(bowl.start), rel=0.02
    )


def test_points_that_fail_are_left_behind():
    class Brittle(Bowl):
        """Whatever has an odd first value cannot be run."""

        def _measured(self, points, count):
            results = super()._measured(points, count)
            bad = [point[0][0] % 2 == 1 for point in points]
            assert not bad[0], "the incumbent is always one that runs"
            return [CRASHED if one else result for one, result in zip(bad, results, strict=True)]

    for seed in range(5):
        brittle = Brittle(4, 0.01, seed)
        brittle.start = ((4,), *brittle.start[1:])
        walk = descend(brittle, seed)
        assert walk.point == ((4,), *brittle.bottom[1:])


def test_an_incumbent_that_fails_once_does_not_cost_its_neighbours():
    class Once(Bowl):
        def look(self, incumbent, points):
            _, *results = super().look(incumbent, points)
            first = CRASHED if len(self.looks) == 1 else self._measured([incumbent], 3)[0]
            return [first, *results]

    found = 0
    for seed in range(10):
        once = Once(4, 0.01, seed)
        found += descend(once, seed).point == once.bottom
    assert found >= 8


@pytest.mark.parametrize("noise", [0.01, 0.05])
@pytest.mark.parametrize("count", [4, 8, 16])
def test_the_bottom_of_a_bowl_is_found_within_the_noise(count, noise):
    found = 0
    for seed in range(20):
        bowl = Bowl(count, noise, seed)
        walk = descend(bowl, seed)
        found += bowl.seconds(walk.point) <= (1 + noise) * bowl.seconds(bowl.bottom)
    assert found >= 17


def test_two_splits_exchange_a_factor_and_their_product_on_each_level_stays():
    space = Space((TileAxis(), TileAxis(), OrderedAxis(((0,), (1,)))))
    point = ((1, 7, 1, 1), (1, 1, 1, 7), (0,))
    exchanges = space.exchanges(point)
    turned = [space.after(point, steps) for steps in exchanges]
    assert ((1, 1, 1, 7), (1, 7, 1, 1), (0,)) in turned
    for other in turned:
        assert other is not None
        assert other != point
        for level in range(4):
            assert other[0][level] * other[1][level] == point[0][level] * point[1][level]
        assert point in [space.after(other, steps) for steps in space.exchanges(other)]


def test_a_direction_that_looks_faster_is_leapt_along_while_it_does():
    walk = walk_on(grid(40), 10)
    up = proposal(walk, (0, UP))
    walk.learn(up, 0.95)
    two = walk.propose(1)[0]
    assert two.point == ((12,),)
    walk.learn(two, 0.9)
    four = walk.propose(1)[0]
    assert four.point == ((14,),)
    walk.learn(four, 0.92)  # no faster than half the way: the leap ends
    assert max((len(one.steps) for one in walk.propose(99)), default=0) < 8
