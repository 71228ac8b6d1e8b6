"""What a transfer measures next, and which candidates cannot win; no TVM."""

import math

import pytest

from rivulet.transfer.choice import KernelChoice, Prospects, choose_batch, worth_more


def kernel(scores, weight=1, best=1.0, best_score=1.0, tried=1):
    return KernelChoice(weight, dict(enumerate(scores)), best, best_score, tried)


def sure():
    """Prospects whose predictions were all right so far, but for the least that is assumed."""
    prospects = Prospects()
    for _ in range(20):
        prospects.learn([1.0, 0.5], [1.0, 2.0])
    return prospects


def test_the_best_predicted_comes_first_and_the_earlier_of_equals():
    assert kernel([0.2, 0.9, 0.9]).next_candidate() == 1
    assert kernel([]).next_candidate() is None


def test_candidates_go_where_most_time_is_left_to_gain():
    heavy, light = kernel([0.9] * 9, weight=8), kernel([0.9] * 9)
    batch = choose_batch([light, heavy], Prospects(), 6, 16)
    assert [index for index, _ in batch].count(1) == 6
    # Each candidate spent without a gain makes the next one less worth while.
    batch = choose_batch([light, heavy], Prospects(), 6, 16)
    assert 0 in {index for index, _ in batch}


def test_a_kernel_without_any_valid_schedule_comes_before_all_others():
    broken = kernel([0.1, 0.1], best=math.inf, best_score=0.0)
    assert choose_batch([kernel([0.9], weight=100), broken], Prospects(), 1, 16) == [(1, 0)]


def test_no_kernel_gets_more_than_its_limit():
    one = kernel([0.9] * 30, tried=2)
    assert len(choose_batch([one], Prospects(), 30, 5)) == 3
    assert one.tried == 5


def test_no_candidate_is_chosen_twice():
    one = kernel([0.5] * 10)
    batch = choose_batch([one], Prospects(), 4, 16) + choose_batch([one], Prospects(), 40, 16)
    assert len(batch) == len(set(batch)) == 10


def test_what_cannot_win_is_dropped():
    prospects = sure()
    assert prospects.cannot_win(0.5, 1.0)
    assert not prospects.cannot_win(0.9, 1.0)
    hopeless, open_ = kernel([0.4, 0.3]), kernel([0.95])
    assert choose_batch([hopeless, open_], prospects, 5, 16) == [(1, 0)]
    assert not hopeless.waiting


def test_nothing_is_dropped_while_predictions_are_untested_or_bad():
    assert not Prospects().cannot_win(0.01, 1.0)
    wild = Prospects()
    for factor in (0.05, 0.2, 5.0, 20.0) * 5:
        wild.learn([1.0, 0.5], [1.0, 2.0 * factor])
    assert not wild.cannot_win(0.3, 1.0)


@pytest.mark.parametrize(("scores", "latencies"), [([], []), ([1.0], [1.0])])
def test_one_measurement_alone_says_nothing_of_relative_speed(scores, latencies):
    prospects = Prospects()
    prospects.learn(scores, latencies)
    assert prospects.spread == math.inf


def test_what_hardly_shows_in_the_model_gets_no_more_candidates():
    large, small = kernel([0.9] * 9, best=1.0), kernel([0.9] * 9, best=0.015)
    assert worth_more(small, [large, small])
    assert (1, 0) in choose_batch([large, small], Prospects(), 40, 16)
    # It has had two by now, and a hundredth of the model is more than half of what it takes.
    assert small.tried == 2
    assert not worth_more(small, [large, small])


def test_default_loops_of_kernels_that_nothing_serves_make_no_other_look_small():
    stuck = KernelChoice(1, {}, best=1e3, served=False)
    one = kernel([0.9], best=1.0)
    assert worth_more(one, [stuck, one])


def test_a_kernel_is_no_larger_than_with_its_default_loops():
    poor = KernelChoice(2, {0: 0.9}, best=5.0, tried=1, default=0.001)
    one = kernel([0.9], best=1.0)
    assert poor.seconds == 0.002
    assert not worth_more(poor, [poor, one])
    assert worth_more(one, [poor, one])
