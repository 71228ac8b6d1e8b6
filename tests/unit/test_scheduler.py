import math

from rivulet.tuning.kernel_state import KernelState
from rivulet.tuning.scheduler import GradientScheduler, first_round_size
from rivulet.workflow.budgets import budget_warning


def kernel(weight, history=(), **more):
    state = KernelState(weight, history=list(history), **more)
    for best in history:
        state.reckon(best)
    return state


def test_every_kernel_is_tried_before_the_gradient_decides():
    states = [kernel(1, [1.0]), kernel(1)]
    assert GradientScheduler(states, 0.2, 3).choose() == 1


def test_the_heavier_kernel_goes_first():
    states = [kernel(1, [2.0]), kernel(5, [1.0])]
    assert GradientScheduler(states, 0.2, 3).choose() == 1


def test_rounds_spent_without_a_gain_make_a_kernel_less_interesting():
    states = [kernel(1, [1.0] * 8), kernel(1, [0.5])]
    assert GradientScheduler(states, 0.2, 3).choose() == 1


def test_recent_gains_make_a_kernel_more_interesting():
    steady, falling = kernel(1, [1.0] * 6), kernel(1, [9.0, 7.0, 5.0, 3.0, 2.0, 1.0])
    assert GradientScheduler([steady, falling], 0.5, 3).choose() == 1


def test_a_kernel_that_never_runs_is_given_up_while_others_have_something_to_gain():
    states = [kernel(1, [math.inf] * 3), kernel(1, [1.0])]
    assert GradientScheduler(states, 0.2, 3).choose() == 1


def test_nothing_left():
    states = [kernel(1, [1.0], exhausted=True)]
    assert GradientScheduler(states, 0.2, 3).choose() is None
    assert GradientScheduler([], 0.2, 3).choose() is None


def test_first_round_leaves_half_of_the_budget():
    assert first_round_size(160, 20, 16) == 4
    assert first_round_size(5000, 20, 16) == 16
    assert first_round_size(10, 20, 16) == 1


def test_a_budget_that_is_too_small_is_said_so():
    assert budget_warning(40, 20) is None
    assert budget_warning(30, 20) == (
        "warning: 30 trials are few for 20 kernels; the smallest sensible number is 40"
    )
    assert "and 5 get none at all" in budget_warning(15, 20)
