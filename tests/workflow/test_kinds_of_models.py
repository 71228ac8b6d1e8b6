"""Models of five kinds go through all of the workflow in one run, and each is taken home."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from kinds_of_models import write_kinds
from rivulet.benchmark.table import read_rows
from workflow.conftest import SMALL, environment

# Each model is the source of one transfer and the target of one.
PAIRS = [
    ("unet", "quantised"),
    ("quantised", "audio"),
    ("audio", "video"),
    ("video", "encoder"),
    ("encoder", "unet"),
]
LIBRARY = "results/local/library"


def test_every_kind_is_searched_refined_transferred_and_packaged(checkout):
    models = write_kinds(checkout.folder / "mine")
    checkout.configure(
        models,
        # One candidate for each kernel of the largest, and some to choose from.
        trials=[20],
        droplet={**SMALL["droplet"], "trials": 4},
        logs=["ansor"],
        pairs=[list(pair) for pair in PAIRS],
        pool=False,
        benchmark={**SMALL["benchmark"], "baselines": ["onnxruntime"]},
    )
    own = [f"{LIBRARY}/{name}-droplet-20" for name in models]
    moved = [f"{LIBRARY}/{target}-transfer-from-{source}-20" for source, target in PAIRS]
    run = checkout.snakemake(
        "results/benchmarks.csv", *(f"{one}/manifest.json" for one in [*own, *moved]), timeout=1500
    )
    assert run.code == 0, run.text
    assert "Traceback" not in run.text

    rows = read_rows(checkout.folder / "results/benchmarks.csv")
    methods = ("onnxruntime", "ansor", "droplet", "transfer")
    assert {(r["source"], r["target"], r["method"]) for r in rows} == {
        (*pair, method) for pair in PAIRS for method in methods
    }
    assert [row["error"] for row in rows if row["error"]] == []
    assert all(float(row["latency_ms"]) > 0 for row in rows)
    assert all(float(row["flops_covered"]) > 0.5 for row in rows if row["method"] == "transfer")
    for package in [*own, *moved]:
        is_right_at_home(checkout.folder / package, checkout.folder / "mine")


def is_right_at_home(package, files):
    """A package computes on its example what ONNX Runtime does."""
    command = [sys.executable, str(package / "run.py"), str(package / "example.npz"), "out.npz"]
    done = subprocess.run(
        command, cwd=package, env=environment(), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((package / "manifest.json").read_text())
    session = onnxruntime.InferenceSession(str(files / f"{manifest['model']}.onnx"))
    names = [output.name for output in session.get_outputs()]
    found = np.load(package / "out.npz")
    assert found.files == names == [output["name"] for output in manifest["outputs"]]
    for name, wanted in zip(
        names, session.run(names, dict(np.load(package / "example.npz"))), strict=True
    ):
        # A value on the edge between two steps of quantisation may fall to either side.
        tolerance = 2e-2 if manifest["model"] == "quantised" else 1e-4
        assert found[name] == pytest.approx(wanted, rel=tolerance, abs=tolerance)
