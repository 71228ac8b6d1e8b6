"""What droplet search is worth, measured by the real workflow on two small models."""

import json

import pytest

from rivulet.droplet.study import COMPARISONS, EffectRow, GainRow
from rivulet.tables import read_table
from rivulet.workflow.choices import gain_trials
from workflow.conftest import Checkout, small_models

GAIN, EFFECT = "results/local/droplet_gain.csv", "results/local/droplet_effect.csv"
PAIR = "results/local/benchmarks/ansor-24/narrow-to-wide.csv"
STUDY = {"rounds": 5, "repetitions": 3}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A finished study of one pair and its models."""
    checkout = Checkout(tmp_path_factory.mktemp("study"))
    checkout.models = small_models(checkout.folder)
    configure(checkout)
    run = checkout.snakemake(cores=4)
    assert run.code == 0, run.text
    return checkout


def configure(checkout, **changes):
    settings = {"trials": [24], "pairs": [["narrow", "wide"]], "droplet_study": STUDY}
    checkout.configure(checkout.models, **{**settings, **changes})


def test_the_gain_is_told_of_every_model_trial_count_and_budget(studied):
    rows = read_table(GainRow, studied.folder / GAIN)
    assert {(r.model, r.ansor_trials) for r in rows} == {("narrow", 24), ("wide", 24)}
    budgets = [row.droplet_trials for row in rows if row.model == "wide"]
    assert len(budgets) > 1
    assert budgets == sorted(set(budgets))
    for row in rows:
        assert 0 < row.droplet_trials <= 8
        assert row.equal_trials == row.ansor_trials + row.droplet_trials
        assert row.gain_low <= row.gain <= row.gain_high
        assert row.gain == pytest.approx(row.ansor_ms / row.droplet_ms, rel=1e-3)
        assert 0 <= row.kernels_faster + row.kernels_slower <= row.kernels
        assert row.vs_equal_trials is not None
    # The comparison at equal cost needs a longer search, and no more than it says.
    longest = max(
        len((folder / "trials.csv").read_text().splitlines()) - 1
        for folder in studied.folder.glob("results/local/logs/ansor-*/wide")
    )
    assert longest == 24 + 2 * 8
    figure = (studied.folder / GAIN).with_suffix(".svg").read_text()
    assert figure.lstrip().startswith(("<?xml", "<svg"))
    assert "narrow" in figure


def test_every_sample_behind_a_gain_is_kept(studied):
    facts = json.loads((studied.folder / "results/local/droplet_gain/wide.json").read_text())
    samples = facts["facts"]["samples_s"]
    assert {"ansor-24", "ansor-32"} <= set(samples)
    assert any(name.startswith("droplet-24-") for name in samples)
    assert {len(one) for one in samples["ansor-24"]} == {STUDY["rounds"]}


def test_the_effect_is_told_of_each_place_of_droplet(studied):
    rows = read_table(EffectRow, studied.folder / EFFECT)
    assert [(r.trials, r.comparison) for r in rows] == [(24, one) for one in COMPARISONS]
    for row in rows:
        assert (row.source, row.target, row.repetitions) == ("narrow", "wide", 3)
        assert row.effect_low <= row.effect <= row.effect_high
        better, worse = row.effect_low > 1, row.effect_high < 1
        expected = "better" if better else "worse" if worse else "no difference shown"
        assert row.verdict == expected


def test_droplet_after_the_transfer_stands_in_the_pairs_table(studied):
    lines = (studied.folder / PAIR).read_text().splitlines()
    header = lines[0].split(",")
    rows = {line.split(",")[header.index("method")]: line.split(",") for line in lines[1:]}
    assert list(rows)[-2:] == ["transfer", "transfer+droplet"]
    refined = rows["transfer+droplet"]
    assert float(refined[header.index("latency_ms")]) > 0
    assert float(refined[header.index("source_search_seconds")]) > 0
    assert int(refined[header.index("trials_measured")]) <= 8
    other = (studied.folder / PAIR.replace("ansor", "droplet")).read_text()
    assert "transfer+droplet" not in other


def test_the_report_answers_what_droplet_is_worth(studied):
    page = (studied.folder / "results/report.html").read_text()
    assert "What droplet search is worth" in page
    assert "transfer + droplet" in page


def test_nothing_is_left_to_do_and_a_setting_of_the_study_makes_only_the_study_again(studied):
    assert studied.plan().jobs == {}
    try:
        configure(studied, droplet_study={**STUDY, "repetitions": 4})
        assert studied.plan(GAIN, EFFECT).jobs == {
            "measure_droplet_effect": 1, "collect_droplet_effect": 1,
        }  # fmt: skip
        configure(studied, droplet_study={**STUDY, "rounds": 6})
        assert studied.plan(GAIN, EFFECT).jobs == {
            "measure_droplet_gain": 2, "collect_droplet_gain": 1,
        }  # fmt: skip
        configure(studied, droplet_study={"gain": False, "effect": False, "after_transfer": False})
        assert set(studied.plan().jobs) <= {"benchmark_pair", "collect_benchmarks", "make_report"}
    finally:
        configure(studied)


def test_the_furthest_search_leaves_room_for_equal_time():
    from rivulet.config.load import validate_config

    config = validate_config(
        {
            "models": {"a": {"torchvision": "alexnet"}, "b": {"torchvision": "resnet18"}},
            "trials": [100, 400],
            "droplet": {"trials": 50},
        }
    )
    assert gain_trials(config) == ([150, 450], 500)
