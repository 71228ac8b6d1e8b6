"""Races under simulated noise: how often a move is wrong, and how often a right one is missed."""

import logging
import math

import numpy as np
import pytest

from rivulet.measure.protocol import Measurement
from rivulet.tuning.race import Outcome, race

LEVEL, REPEATS = 0.05, 8
SECONDS = 1e-4
CRASH = "run crash: the process was ended by SIGSEGV"


class Contest:
    """Times contestants in turns, as a bench does, on a machine whose disturbances are known.

    Args:
        ratios: Latency of each contestant over the incumbent's, which is the first.
        noise: Standard deviation of a sample's logarithm.
        seed: Seed of the disturbances.
        rare: Share of samples that something else multiplies, by up to hundreds.
        drift: What each round adds to the logarithm of everybody's latency.
        wander: Standard deviation of that.
        broken: Contestants that fail, and take all that are timed with them down.

    Attributes:
        taken: How many samples were taken of each.
        broken: Contestants that fail.
    """

    def __init__(self, ratios, noise, seed, rare=0.0, drift=0.0, wander=0.0, broken=()):
        self._ratios, self._noise, self._rare = np.array(ratios), noise, rare
        self._drift, self._wander, self._level = drift, wander, 0.0
        self._generator = np.random.default_rng(seed)
        self.taken, self.broken = [0] * len(ratios), set(broken)

    def __call__(self, numbers, rounds):
        if self.broken & set(numbers):
            return [Measurement((), CRASH)] * len(numbers)
        generator, shape = self._generator, (rounds, len(numbers))
        level = self._level + np.cumsum(
            self._drift + self._wander * generator.standard_normal(rounds)
        )
        self._level = level[-1]
        logs = self._noise * generator.standard_normal(shape) + level[:, None]
        disturbed = generator.random(shape) < self._rare
        samples = SECONDS * self._ratios[numbers] * np.exp(logs)
        samples *= np.where(disturbed, 1 + generator.pareto(1.0, shape), 1.0)
        for number in numbers:
            self.taken[number] += rounds
        return [Measurement(tuple(column.tolist())) for column in samples.T]


def outcome_of(contest):
    return race(contest, len(contest.taken) - 1, LEVEL, REPEATS)


def assert_held(wrong, races, level=LEVEL):
    """No more wrong moves than the level allows, but for three standard deviations of chance."""
    most = races * level + 3 * math.sqrt(races * level * (1 - level))
    assert wrong <= most, f"{wrong} of {races} races moved, {most:.0f} at most may"


NOISES = {
    "1 %": {"noise": 0.01},
    "5 %": {"noise": 0.05},
    "heavy tail": {"noise": 0.01, "rare": 0.1},
    "slower and slower": {"noise": 0.01, "drift": 0.01},
    "wandering": {"noise": 0.01, "wander": 0.02},
}


@pytest.mark.parametrize("challengers", [1, 4])
@pytest.mark.parametrize("noise", NOISES)
def test_races_among_equals_are_won_no_more_often_than_the_level_says(noise, challengers):
    races = 1500 if challengers == 1 else 800
    equals = [1.0] * (challengers + 1)
    contests = [Contest(equals, seed=seed, **NOISES[noise]) for seed in range(races)]
    assert_held(sum(outcome_of(one).winner is not None for one in contests), races)


def test_the_level_holds_for_others_too():
    races = 1500
    contests = [Contest([1.0, 1.0, 1.0], 0.02, seed) for seed in range(races)]
    won = sum(race(one, 2, 0.2, REPEATS).winner is not None for one in contests)
    assert_held(won, races, 0.2)
    assert won > races * 0.05  # a level that is asked for is made use of


@pytest.mark.parametrize("challengers", [1, 4])
def test_a_challenger_that_is_a_tenth_faster_wins_in_the_first_look(challengers):
    won = 0
    for seed in range(300):
        contest = Contest([1.0] * challengers + [0.9], 0.01, seed)
        outcome = outcome_of(contest)
        won += outcome.winner == challengers
        assert outcome.ratio == pytest.approx(0.9, rel=0.04)
        assert contest.taken == [REPEATS] * (challengers + 1)
    assert won == 300


def test_a_tenth_is_seen_through_rare_disturbances_and_drift_as_well():
    for changes in ({"rare": 0.1}, {"drift": 0.01}, {"wander": 0.02}):
        contests = [Contest([1.0, 0.9], 0.01, seed, **changes) for seed in range(100)]
        assert sum(outcome_of(one).winner == 1 for one in contests) >= 97, changes


def test_the_fastest_of_several_that_are_faster_wins():
    for seed in range(50):
        outcome = outcome_of(Contest([1.0, 0.9, 0.8, 0.85], 0.01, seed))
        assert outcome.winner == 2
        assert outcome.ratio == pytest.approx(0.8, rel=0.04)


def test_near_misses_get_more_samples_and_clear_losers_do_not():
    """One per cent under noise of one per cent: eight samples seldom tell, 32 mostly do."""
    first, most, won = 0, 0, 0
    for seed in range(200):
        contest = Contest([1.0, 0.99, 1.1], 0.01, seed)
        outcome = outcome_of(contest)
        incumbent, near, loser = contest.taken
        assert loser == REPEATS
        assert incumbent == near
        assert near in (REPEATS, 2 * REPEATS, 4 * REPEATS)
        first += near == REPEATS
        most += near == 4 * REPEATS
        won += outcome.winner == 1
        assert outcome.winner != 2
    assert first < 120
    assert most > 20
    assert won > 120


def test_losers_end_a_race_with_its_first_look():
    for seed in range(50):
        contest = Contest([1.0, 1.1, 1.2], 0.01, seed)
        assert outcome_of(contest) == Outcome()
        assert contest.taken == [REPEATS] * 3


def test_most_races_among_equals_end_with_the_first_look():
    contests = [Contest([1.0, 1.0], 0.02, seed) for seed in range(300)]
    for one in contests:
        outcome_of(one)
    assert 30 < sum(one.taken[1] > REPEATS for one in contests) < 105


def test_who_fails_in_turns_drops_out_and_the_others_race_on(caplog):
    logger = logging.getLogger("race")
    for seed in range(20):
        caplog.clear()
        contest = Contest([1.0, 1.0, 0.9, 0.8, 1.0], 0.01, seed, broken={1, 3})
        with caplog.at_level(logging.INFO, "race"):
            outcome = race(contest, 4, LEVEL, REPEATS, logger=logger)
        assert outcome.winner == 2
        assert outcome.ratio == pytest.approx(0.9, rel=0.04)
        assert (contest.taken[1], contest.taken[3]) == (0, 0)
        assert [record.getMessage() for record in caplog.records].count(
            f"a challenger drops out: {CRASH}"
        ) == 2


def test_who_fails_in_a_later_look_drops_out_too():
    class Late(Contest):
        def __call__(self, numbers, rounds):
            self.broken = {1} if self.taken[1] >= REPEATS else set()
            return super().__call__(numbers, rounds)

    later = 0
    for seed in range(60):
        contest = Late([1.0, 0.99, 0.99], 0.01, seed)
        outcome = outcome_of(contest)
        assert outcome.winner != 1 or contest.taken[1] == contest.taken[0] == REPEATS
        later += outcome.winner == 2 and contest.taken[1] == REPEATS < contest.taken[2]
    assert later > 10


def test_nobody_wins_where_all_fail_or_the_incumbent_does():
    for broken in ({0}, {1, 2}, {0, 1, 2}):
        contest = Contest([1.0, 0.5, 0.5], 0.01, 1, broken=broken)
        assert outcome_of(contest) == Outcome()
        assert contest.taken[1:] == [0, 0]


def test_the_level_holds_where_one_fails_and_the_machine_drifts():
    """Who is timed without the others must not be compared with another time's incumbent."""
    races = 400
    contests = [Contest([1.0] * 5, 0.01, seed, drift=0.01, broken={4}) for seed in range(races)]
    assert_held(sum(outcome_of(one).winner is not None for one in contests), races)
