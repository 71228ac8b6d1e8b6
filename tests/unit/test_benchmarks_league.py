"""The league: its command line, its config, and what it makes of recorded matches."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import league
from league_parts.chart import write_chart
from league_parts.contestants import CONTESTANTS, TORCHVISION
from league_parts.contestants import QUICK as QUICK_MODELS
from league_parts.figures import standing, summary
from league_parts.match import Match
from league_parts.publishing import facts, plain_config, publish
from league_parts.settings import FULL, PEERS, QUICK, configuration, wanted
from league_parts.table import BEGIN, END, markdown, terminal_lines
from rivulet.benchmark.estimates import Sampling
from rivulet.benchmark.table import read_rows
from rivulet.errors import UserError
from rivulet.tables import put_between

SAMPLING = Sampling(0.95, 200, 0)
NOTHING = {"transposes_inside": 0, "weight_only_kernels": 0}


def groups(*middles):
    """Samples of processes with these medians."""
    return [[0.9 * middle, middle, 1.1 * middle] for middle in middles]


def match(model, ours, runtime, **changes):
    """A match in which we take so long, and ONNX Runtime so long; OpenVINO takes 10 ms."""
    one = Match(
        model,
        {
            "ansor": groups(2 * ours, 2 * ours), "droplet": groups(ours, ours),
            "onnxruntime": groups(runtime, runtime), "openvino": groups(10, 10),
            "torch-compile": [],
        },
        {"droplet": 1e-6}, {"torch-compile": "it does not run: no compiler"}, [],
        {"openvino": {"INFERENCE_PRECISION_HINT": "f32"}}, NOTHING, 1.05,
    )  # fmt: skip
    return replace(one, **changes)


@pytest.fixture
def standings():
    return [standing(one, SAMPLING) for one in (match("a", 8, 10), match("b", 12.5, 5))]


def test_ratios_are_ours_over_theirs_and_droplet_stands_for_us(standings):
    first, second = standings
    assert (first.ours, first.best_peer) == ("droplet", "onnxruntime")
    assert first.vs_ort.value == pytest.approx(0.8)
    assert first.sum_to_model == pytest.approx(1.05)
    assert second.vs_ort.value == pytest.approx(2.5)
    assert second.best_peer == "onnxruntime"
    assert set(second.ratios) == {"onnxruntime", "openvino"}


def test_ansor_stands_for_us_where_droplet_has_no_latency():
    broken = match("a", 8, 10)
    broken = replace(broken, groups={**broken.groups, "droplet": []}, sum_to_model=None)
    one = standing(broken, SAMPLING)
    assert one.ours == "ansor"
    assert one.vs_ort.value == pytest.approx(1.6)
    assert one.sum_to_model is None


def test_the_last_line_has_every_figure_of_all_models(standings):
    line = json.loads(json.dumps(summary(standings, {"c": "the workflow did not finish"})))
    assert line == {
        "geomean_vs_ort": pytest.approx(2**0.5, abs=1e-4),
        "worst_vs_ort": ["b", 2.5],
        "geomean_vs_best_peer": pytest.approx(2**0.5, abs=1e-4),
        "slower_than_ort": ["b"],
        "models": 2,
        "transposes_inside": 0,
        "weight_only_kernels": 0,
        "sum_to_model": pytest.approx(1.05),
        "failed": ["c"],
    }


def test_the_last_line_counts_what_is_left_in_the_graphs():
    left = {"transposes_inside": 1, "weight_only_kernels": 2}
    seen = [standing(match(n, 8, 10, graph=left), SAMPLING) for n in "ab"]
    line = summary(seen, {})
    assert (line["transposes_inside"], line["weight_only_kernels"]) == (2, 4)


def test_the_last_line_of_nothing_has_no_figures():
    line = summary([], {"a": "the workflow did not finish"})
    assert line["models"] == 0
    assert line["geomean_vs_ort"] is None
    assert line["worst_vs_ort"] is None
    assert line["failed"] == ["a"]


def test_tables_and_figure_are_written_and_the_page_keeps_the_rest(standings, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# League\n\n{BEGIN}\nold\n{END}\n\nend\n")
    matches = [match("a", 8, 10), match("b", 12.5, 5)]
    publish(tmp_path, page, QUICK, matches, standings, {"c": "it failed"})
    rows = read_rows(tmp_path / "league.csv")
    assert [row["method"] for row in rows[:5]] == ["ansor", "droplet", *PEERS]
    assert rows[1]["latency_ms"] == "8.0"
    assert rows[1]["sum_to_model"] == "1.05"
    assert rows[2]["ours_over_it"] == "0.8"
    assert rows[4]["error"] == "it does not run: no compiler"
    assert (rows[-1]["model"], rows[-1]["error"]) == ("c", "it failed")
    text = page.read_text()
    assert text.startswith("# League")
    assert text.endswith("end\n")
    assert "old" not in text
    assert "| a | 16.000 | 8.000 | 10.000 | 10.000 | – | 0.800 (0.800–0.800)" in text
    assert "- openvino: INFERENCE_PRECISION_HINT = f32" in text
    assert "| c |  | it failed |" in text
    assert "over ONNX Runtime: 2.50" in (tmp_path / "page.svg").read_text()
    assert (tmp_path / "page.csv").read_text() == (tmp_path / "league.csv").read_text()


def test_a_page_without_a_place_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("# League\n")
    with pytest.raises(UserError, match="has no place for the table"):
        put_between(tmp_path / "page.md", BEGIN, END, "block")


def test_one_line_per_model_on_the_terminal(standings):
    lines = terminal_lines(standings)
    assert len(lines) == 2 + len(standings)
    assert "ours / ORT" in lines[1]
    assert "0.800 (0.800-0.800)" in lines[2]


def test_a_league_without_any_ratio_has_a_figure_and_a_table(tmp_path):
    alone = replace(match("a", 8, 10), groups={"droplet": groups(8)})
    seen = [standing(alone, SAMPLING)]
    write_chart(tmp_path / "league.svg", seen)
    assert "| a | – | 8.000 | – | – | – | – | – |" in markdown(
        seen, {}, {}, summary(seen, {}), "a.svg"
    )


@pytest.mark.parametrize("settings", [FULL, QUICK])
def test_the_sizes_make_a_configuration_of_the_workflow(settings):
    config = plain_config(settings)
    assert config.trials == (settings.trials,)
    assert config.benchmark.baselines == PEERS
    assert not config.pair_list
    assert facts(settings, [])["Trials"].startswith(f"{settings.trials} of Ansor")


def test_models_that_are_files_are_configured_once_they_are_there(tmp_path):
    known = [one.name for one in CONTESTANTS if one.package == TORCHVISION]
    assert list(configuration(FULL, tmp_path)["models"]) == known
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported/distilbert.onnx").touch()
    assert list(configuration(FULL, tmp_path)["models"]) == [*known, "distilbert"]


def test_the_workflow_is_asked_for_both_libraries():
    assert wanted("alexnet", FULL) == (
        "results/local/libraries/ansor-1000/alexnet.so",
        "results/local/libraries/droplet-1000/alexnet.so",
        "results/local/roofline.csv",
    )


def test_the_command_line(capsys):
    options = league.parse([])
    assert len(options.models) == len(CONTESTANTS) == 18
    assert (options.settings, options.out.name) == (FULL, "league")
    options = league.parse(["--quick", "--trials", "40", "--droplet-trials", "0"])
    assert options.models == list(QUICK_MODELS)
    assert options.settings == replace(QUICK, trials=40, droplet_trials=0)
    options = league.parse(["--models", "bert_tiny", "--processes", "5"])
    assert options.models == ["bert_tiny"]
    assert (options.settings.processes, options.settings.max_processes) == (5, 10)
    for wrong in (["--models", "resnet"], ["--processes", "1"], ["--trials", "x"]):
        with pytest.raises(SystemExit):
            league.parse(wrong)
    assert "invalid number from 2 on value: '1'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_module_is_the_same_in_every_process_and_can_be_sent_there():
    import pickle

    import numpy as np
    import torch

    from league_parts.contestants import named
    from league_parts.modules import build_module, example_inputs

    build = pickle.loads(pickle.dumps(partial(build_module, "squeezenet1_1")))
    inputs = example_inputs(named("squeezenet1_1"), 0)
    with torch.no_grad():
        np.testing.assert_array_equal(build()(*inputs), build()(*inputs))
    ids, mask, types = example_inputs(named("bert_tiny"), 0)
    assert ids.shape == mask.shape == types.shape == (1, 128)
    assert ids.dtype == torch.int64
    assert 0 <= int(ids.min()) <= int(ids.max()) < 30522


def test_a_quick_league_begins_no_model_that_it_has_no_time_for():
    assert not league.no_time_for_another(0, 0)
    assert not league.no_time_for_another(600, 200)
    assert league.no_time_for_another(720, 200)
