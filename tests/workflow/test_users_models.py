"""Users' ONNX files in the workflow: what belongs to them is an input, and errors are one line."""

import os
import shutil
from pathlib import Path

import numpy as np
import onnx

from onnx_text import model_of
from rivulet.models.inputs import input_values
from rivulet.provenance import read_record

RECORD = "results/models/net.json"
PRODUCT = "g (float[batch,64] x, int64[batch] rows) => (float[batch,4] y) { {} }".replace(
    "{}", "p = MatMul (x, w) q = Gather (table, rows) y = Add (p, q)"
)


def write_split(folder, seed):
    """A model whose weights are in a file beside it; only those depend on the seed."""
    draw = np.random.default_rng(seed).standard_normal
    weights = {"w": draw((64, 4)), "table": draw((10, 4))}
    model = model_of(PRODUCT, **{name: a.astype(np.float32) for name, a in weights.items()})
    path = folder / "mine/net.onnx"
    path.parent.mkdir(exist_ok=True)
    (folder / "mine/net.data").unlink(missing_ok=True)  # it would be written on
    onnx.save(model, str(path), save_as_external_data=True, location="net.data", size_threshold=0)


def exported(checkout):
    """Export, and what was made of it."""
    run = checkout.snakemake(RECORD)
    assert run.code == 0, run.text
    return read_record(checkout.folder / RECORD)


def test_weights_and_values_beside_a_users_file_make_the_export_stale(checkout, monkeypatch):
    write_split(checkout.folder, 0)
    np.savez(checkout.folder / "mine/values.npz", rows=np.array([9, 0]))
    entry = {"onnx": "mine/net.onnx", "shape": {"x": [2, 64]}, "inputs": "mine/values.npz"}
    checkout.configure({"net": entry})
    first = exported(checkout)
    assert set(first.inputs) >= {"mine/net.onnx", "mine/net.data", "mine/values.npz"}
    monkeypatch.chdir(checkout.folder)
    x, rows = input_values(first.facts["inputs"], 0)
    assert x.shape == (2, 64)
    assert rows.tolist() == [9, 0]
    write_split(checkout.folder, 1)
    second = exported(checkout)
    assert second.inputs["mine/net.onnx"] == first.inputs["mine/net.onnx"]
    assert second.digest != first.digest
    # Snakemake sees new values; new weights of an old date, without its metadata, the record tells.
    np.savez(checkout.folder / "mine/values.npz", rows=np.array([1, 2]))
    assert checkout.plan(RECORD).jobs["export_model"] == 1
    np.savez(checkout.folder / "mine/values.npz", rows=np.array([9, 0]))
    write_split(checkout.folder, 0)
    for name in ("net.onnx", "net.data", "values.npz"):
        os.utime(Path("mine", name), (10**9, 10**9))
    shutil.rmtree(checkout.folder / ".snakemake/metadata")
    checkout.adopt()
    assert checkout.plan(RECORD).jobs["export_model"] == 1


def test_what_cannot_be_adopted_is_one_line_with_the_users_file(checkout):
    write_split(checkout.folder, 0)
    checkout.configure({"net": {"onnx": "mine/net.onnx"}})
    run = checkout.snakemake(RECORD)
    assert run.code != 0
    assert (
        "export net: mine/net.onnx: schedules are searched for fixed shapes, but these inputs have "
        "open dimensions: 'x' [batch, 64], 'rows' [batch]; write in the model's entry, with sizes "
        "of your choice, 'shape: {x: [1, 64], rows: [1]}'"
    ) in run.text
