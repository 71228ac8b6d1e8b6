"""The droplet benchmark's plans and figures; nothing runs here."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import droplet as command  # noqa: E402
from comparison.bowl import descend_bowls  # noqa: E402
from comparison.droplet_figures import gain_lines, summary, upstream_figures  # noqa: E402
from rivulet.config.load import validate_config  # noqa: E402
from rivulet.workflow.choices import gain_trials, studies_effect, studies_gain  # noqa: E402


@pytest.mark.parametrize("plan", [command.FULL, command.QUICK], ids=["full", "quick"])
@pytest.mark.parametrize("section", ["gain", "pairs"])
def test_the_workflow_takes_every_plan(plan, section):
    config = validate_config(command.configuration(plan, section))
    assert studies_gain(config)
    assert plan.trials == max(config.trials)
    budget = plan.budget if section == "gain" else plan.pair_budget
    assert gain_trials(config)[1] == plan.trials + 2 * budget
    if section == "pairs":
        assert studies_effect(config)
        count = len(plan.paired)
        assert len(config.pair_list) == count * (count - 1)


def kernel(task, upstream, ours, weight=1):
    samples = {"start": [2.0] * 9, "upstream": upstream, "ours": ours}
    return {"task": task, "weight": weight, "samples": samples}


def test_upstream_is_compared_kernel_by_kernel_and_in_the_sum():
    steady = [1.0 + n / 1000 for n in range(9)]
    slow = [one * 2 for one in steady]
    ours = {"trials": 40, "seconds": 9.0, "kernels": [
        kernel("won", slow, steady), kernel("lost", steady, [one * 1.1 for one in steady]),
        kernel("same", steady, steady, weight=2),
    ]}  # fmt: skip
    found = upstream_figures({"trials": 40, "seconds": 90.0}, ours)
    assert [row["slower"] for row in found["kernels"]] == [False, True, False]
    assert found["slower"] == 1
    assert found["geomean"] == pytest.approx((2 / 1.1) ** (1 / 3))
    whole = (slow[4] + 3 * steady[4]) / (3 * steady[4] + 1.1 * steady[4])
    assert found["model_vs_upstream"]["value"] == pytest.approx(whole)


def row(model, ansor, droplet, gain, more, slower=0):
    ratios = {
        f"{name}{end}": value
        for name, value in (("gain", gain), ("vs_equal_trials", more), ("vs_equal_seconds", None))
        for end in ("", "_low", "_high")
    }
    return {
        "model": model, "ansor_trials": ansor, "droplet_trials": droplet, "kernels": 20,
        "kernels_faster": 3, "kernels_slower": slower, "equal_seconds_trials": None, **ratios,
    }  # fmt: skip


def test_the_last_line_has_each_rows_whole_budget_and_the_bars_trial_count():
    gain = [
        row("a", 640, 160, 9.0, 9.0, slower=5), row("a", 640, 640, 1.2, 1.1),
        row("b", 640, 640, 1.8, 1.4, slower=1), row("b", 160, 640, 9.0, 9.0, slower=2),
    ]  # fmt: skip
    bowl = [{"found": 0.99}, {"found": 0.97}]
    last = summary({"gain": gain, "bowl": bowl}, 640)
    assert last["bowl_found_min"] == 0.97
    assert last["gain_over_log"] == pytest.approx((1.2 * 1.8) ** 0.5, abs=1e-4)
    assert last["gains_over_log"] == {"a": 1.2, "b": 1.8}
    assert last["vs_more_search"] == pytest.approx((1.1 * 1.4) ** 0.5, abs=1e-4)
    # Checkpoints within a budget are not what a log with droplet has.
    assert last["worse_kernels"] == 3
    assert last["vs_upstream_geomean"] is last["vs_more_search_seconds"] is None
    json.dumps(last)
    assert "1.800 (1.800-1.800)" in "\n".join(gain_lines(gain))


def test_a_section_that_was_not_run_gives_null():
    last = summary({}, 640)
    assert last.pop("gains_over_log") == {}
    assert set(last.values()) == {None}


def test_bowls_are_told_in_shares_and_means():
    settings = {"significance": 0.05, "confirm_repeats": 8, "neighbours_per_round": 8}
    found = descend_bowls(3, 0.001, 5, settings)
    assert (found.runs, found.exact, found.found) == (5, 1.0, 1.0)
    assert 3 * 2 <= found.points < 9**3
    assert found.samples > 3 * found.points
