"""The whole workflow on a device over RPC, a server on loopback."""

import csv
import json

import pytest

from rpc_fleet import KEY, fleet
from workflow.conftest import Checkout, small_models


def hardware(address, **changed):
    rpc = {"tracker": address, "key": KEY, "connect_timeout_s": 20, "retries": 1}
    return {
        "board": {
            "runner": "rpc", "target": {"kind": "llvm"}, "threads": 1, "rpc": {**rpc, **changed}
        }
    }  # fmt: skip


def configure(checkout, address, **changed):
    checkout.configure(
        checkout.models, hardware=hardware(address, **changed), trials=[12],
        pairs=[["narrow", "wide"]], pool=False, logs=["ansor"],
        benchmark={**checkout.benchmark, "baselines": ["untuned", "onnxruntime"]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished workflow; the device is gone."""
    from workflow.conftest import SMALL

    checkout = Checkout(tmp_path_factory.mktemp("rpc"))
    checkout.models, checkout.benchmark = small_models(checkout.folder), SMALL["benchmark"]
    with fleet(1) as board:
        configure(checkout, board.address)
        checkout.run = checkout.snakemake()
    assert checkout.run.code == 0, checkout.run.text
    checkout.address = board.address
    return checkout


def test_a_pair_is_searched_transferred_and_timed_on_the_device(finished):
    table = finished.folder / "results/board/benchmarks/ansor-12/narrow-to-wide.csv"
    rows = {row["method"]: row for row in csv.DictReader(table.open())}
    assert list(rows) == ["untuned", "ansor", "droplet", "transfer"]  # no ONNX Runtime there
    for row in rows.values():
        assert not row["error"]
        assert float(row["latency_ms"]) > 0
        assert float(row["max_rel_error"]) < 1e-3
    record = json.loads(table.with_suffix(".json").read_text())
    environment = record["facts"]["environment"]
    assert environment["runner"] == "rpc"
    assert environment["tracker"] == finished.address
    assert "cpu" not in environment
    report = (finished.folder / "results/report.html").read_text()
    assert "board" in report


def test_where_the_device_is_reached_makes_nothing_stale(finished):
    configure(finished, "elsewhere:9190", devices=3, session_timeout_s=300)
    left = finished.plan("results/board/benchmarks/ansor-12/narrow-to-wide.csv").jobs
    assert left == {}


def test_without_the_device_a_job_says_so_and_names_the_tracker(finished):
    configure(finished, finished.address, connect_timeout_s=0.5, retries=0)
    target = "results/board/library/wide-ansor-12/manifest.json"
    run = finished.snakemake(target)
    assert run.code != 0
    wanted = f"no device under the key '{KEY}' at the tracker {finished.address}: no answer"
    assert wanted in run.text


def test_a_model_tuned_for_the_device_is_packaged(finished):
    with fleet(1, port=int(finished.address.rpartition(":")[2])):
        configure(finished, finished.address)
        run = finished.snakemake("results/board/library/wide-ansor-12/manifest.json")
    assert run.code == 0, run.text
    manifest = json.loads(
        (finished.folder / "results/board/library/wide-ansor-12/manifest.json").read_text()
    )
    assert manifest["hardware"] == "board"
    assert manifest["latency_ms"]["median"] > 0
