"""The figures of the transfer benchmark; nothing runs here."""

import json
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import transfer as command  # noqa: E402
from comparison.pairs import Coverage, TransferFigures, lines  # noqa: E402
from rivulet.config.load import validate_config  # noqa: E402
from rivulet.records.curve import Curve, Progress  # noqa: E402


def figures(source, target, share=0.9, **changes):
    coverage = Coverage(
        f"{source}-to-{target}", kernels=20, covered=changes.pop("covered", 20),
        flops=changes.pop("flops", 1.0), slower_kernels=0, put_back=0, search_seconds=20.0,
        seconds_from_start=21.0, trials=80,
    )  # fmt: skip
    values = {
        "source": source, "target": target, "coverage": coverage, "untuned": 500.0,
        "transfer": 10.0, "ansor": 10.0 * share, "share": share, "low": share - 0.01,
        "high": share + 0.01, "ansor_seconds": 60.0, "match_seconds": 40.0,
        "at_equal_time": None, "warm": None, "ansor_trials": 640,
        "ansor_sum": 8.0,
        "curve": Curve([Progress(4.0, 20, 12.0), Progress(6.0, 40, 9.9), Progress(9.0, 80, 9.0)]),
        "ansor_curve": Curve([Progress(20.0, 200, 12.5), Progress(48.0, 500, 11.0)]),
    }  # fmt: skip
    return TransferFigures(**{**values, **changes})


def warm(reached):
    last = {"trials": 192, "ratio": 0.97, "low": 0.96, "high": 0.98}
    return {"cold_trials": 640, "as_good_after": reached, "checkpoints": [last]}


ALL = [
    figures("resnet50", "alexnet", 0.8, flops=0.97, covered=19),
    figures("alexnet", "resnet50", 0.9, match_seconds=math.inf),
    figures("resnet18", "resnet50", 0.95),
    figures("pool", "resnet50", 1.0, warm=warm(160)),
]


def summary(found=ALL):
    return TransferFigures.summary(found, [f.coverage for f in found], Path("none.csv"))


def test_the_last_line_has_what_was_asked_for():
    last = summary()
    assert last["flops_covered_min"] == 0.97
    assert last["kernels_covered_min"] == 0.95
    assert last["share_mean"] == pytest.approx(0.85)
    assert last["share_resnet18_resnet50"] == 0.95
    assert last["pool_share"] == 1.0
    assert last["pair_seconds"] == 21.0
    assert last["worse_than_untuned"] == 0
    assert last["warm_trials_ratio"] == 0.25
    # 2.0 and, where Ansor never got there, at least 3.0.
    assert last["ansor_time_to_match_ratio"] == pytest.approx(math.sqrt(6), abs=1e-3)
    # 80 % of the speedup is 10 ms, which the log had after 6 of Ansor's 60 s.
    assert last["seconds_to_80_percent"] == 6.0
    assert last["search_time_share"] == 0.1
    # The first complete look, 12 ms after 4 s, took Ansor 48.
    assert last["first_look_time_to_match_ratio"] == 12.0
    assert last["flops_covered_other"] == {"resnet18-to-resnet50": 1.0, "pool-to-resnet50": 1.0}
    json.dumps(last)


def test_what_was_not_run_is_null():
    last = summary([])
    assert last["share_resnet18_resnet50"] is None
    assert last["warm_trials_ratio"] is None
    assert last["flops_covered_min"] is None
    assert last["worse_than_untuned"] is None
    json.dumps(last)


def test_a_part_that_quick_has_not_is_said(capsys):
    with pytest.raises(SystemExit):
        command.parse(["--quick", "--parts", "vit"])
    assert "--parts vit: no part of --quick, which has: pairs" in capsys.readouterr().err


def test_a_model_slower_than_untuned_is_counted():
    assert summary([figures("alexnet", "resnet50", transfer=501.0)])["worse_than_untuned"] == 1


def test_the_table_says_never():
    text = "\n".join(lines(ALL, [f.coverage for f in ALL]))
    assert "never, >3.0x" in text
    assert "90.0% (89.0%-91.0%)" in text
    assert "as good after 160 of 640; 0.970 (0.960-0.980) after 192" in text


def test_a_warm_start_that_never_got_there_makes_no_figure():
    found = [*ALL, figures("pool", "alexnet", 1.0, warm=warm(None))]
    assert summary(found)["warm_trials_ratio"] is None
    assert "as good after never of 640" in "\n".join(lines(found, [f.coverage for f in found]))


@pytest.mark.parametrize("quick", [False, True])
def test_the_parts_are_configs_that_the_workflow_takes(quick):
    for part in command.QUICK if quick else command.FULL:
        config = validate_config(command.configuration(part, 640, quick))
        wanted = command.targets(part, 640)
        assert all(f"-to-{model}" in " ".join(wanted) for model in part.pools)
        assert [tuple(pair) for pair in config.pair_list] == list(part.pairs)
