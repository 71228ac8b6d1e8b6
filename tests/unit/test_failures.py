"""What a job says at its end of kernels that nothing valid was measured of."""

from dataclasses import replace
from types import SimpleNamespace

from rivulet.records import Trial
from rivulet.records.failures import kernels_without_schedule
from rivulet.transfer import TransferTuning
from rivulet.transfer.remarks import remarks
from rivulet.tuning import Role


def trial(kernel, error="", candidate="0"):
    samples = "[]" if error else "[1.0]"
    return Trial(1, 0.0, kernel, 1, "evolutionary", candidate, 0, 0, 0, samples, error, "", "")


def test_a_kernel_whose_trials_all_failed_is_named_with_the_commonest_reason():
    trials = [trial("take", "run crash: SIGSEGV")] * 3 + [trial("take", "build error: x")]
    (line,) = kernels_without_schedule(["conv", "take"], [*trials, trial("conv")])
    assert line == (
        "take keeps its default loops: none of its 4 trial(s) ran, run crash: SIGSEGV (3 times)"
    )


def test_one_valid_trial_is_enough_and_no_trial_is_the_budgets_doing():
    trials = [trial("conv", "run timeout"), trial("conv")]
    assert kernels_without_schedule(["conv", "pool"], trials) == []


def test_a_kernel_that_could_not_be_tried_is_named_with_the_reason_for_it():
    lines = kernels_without_schedule(["log"], [], {"log": "MetaSchedule makes no sketch of it"})
    assert lines == ["log keeps its default loops: MetaSchedule makes no sketch of it"]


def test_lines_stay_readable_for_long_names_and_long_reasons():
    name = "fused_" + "_add" * 150
    (line,) = kernels_without_schedule([name], [trial(name, "x" * 5000)])
    assert len(line) < 320


def test_a_transfer_names_kernels_none_of_whose_candidates_ran():
    cases = [
        SimpleNamespace(kernel=SimpleNamespace(task=task), candidates=SimpleNamespace(spaceless=""))
        for task in ("conv", "pool")
    ]
    trials = [
        replace(trial("conv", "run timeout"), strategy=TransferTuning.name),
        replace(trial("conv"), strategy=f"{TransferTuning.name}{Role.DEFAULT.value}"),
        replace(trial("pool"), strategy=TransferTuning.name),
    ]
    (line,) = remarks(cases, trials)
    assert line == "conv keeps its default loops: none of its 1 trial(s) ran, run timeout"
