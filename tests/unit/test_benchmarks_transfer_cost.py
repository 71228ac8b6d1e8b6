"""The table of what transfers cost; nothing runs here."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import transfer_cost as command  # noqa: E402
from rivulet.config.load import validate_config  # noqa: E402

STEPS = {
    "start": 5.0, "without schedules": 1.0, "candidates": 20.0, "settling": 4.0, "compiling": 8.0,
    "proof": 1.0, "in place": 1.0,
}  # fmt: skip


@pytest.fixture
def options(tmp_path):
    return command.parse(["--work", str(tmp_path), "--targets", "alexnet", "--trials", "64"])


def test_the_configuration_is_one_that_the_workflow_takes(options):
    config = command.configuration(options)
    assert list(config["models"]) == ["alexnet", "resnet18"]
    validate_config(config)


def test_the_whole_transfer_counts_from_the_start_of_its_process(options, monkeypatch):
    facts = {
        "ansor": {"search_seconds": 80.0, "kernel_latency_sum_ms": 3.0},
        "transfer": {
            "seconds_by_step": STEPS, "kernels_total": 12, "trials_measured": 15,
            "in_place_before_ms": [900.0], "in_place_after_ms": [4.0, 4.2, 4.1],
            "kernel_latency_sum_ms": 3.5, "put_back": [],
        },
    }  # fmt: skip

    class Record:
        def __init__(self, path):
            self.facts = facts["transfer" if "transfer" in path.parts else "ansor"]

    monkeypatch.setattr(command, "read_record", Record)
    found = command.cost("alexnet", options)
    assert (found["transfer_seconds"], found["of_ansor"]) == (40.0, 0.5)
    assert found["settling_and_proof"] == 0.125
    assert (found["without_ms"], found["with_ms"]) == (900.0, 4.1)
    head, _, row = command.lines([found])
    assert "| settling |" in head
    assert "| 50% | 12% |" in row
