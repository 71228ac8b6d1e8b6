"""A packaged model runs in a process of its own, and says what it lacks before it crashes."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from onnx_text import model_of
from rivulet.benchmark.compile import compile_model
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.deploy.package import (
    FILES,
    LIBRARY,
    WEIGHTS,
    Tensor,
    pack_weights,
    write_manifest,
    write_runner,
)
from rivulet.hardware.cpu import cpu_info
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import HERE
from rivulet.hardware.target import missing_features
from rivulet.models.description import check_onnx
from rivulet.models.inputs import input_values


@pytest.fixture(scope="module")
def package(small_model, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library") / "small-untuned-0"
    folder.mkdir()
    compile_model(small_model, target, None, folder / LIBRARY)
    pack_weights(folder / LIBRARY, small_model.params, folder / WEIGHTS, open_place(HERE))
    inputs = [Tensor("input", (1, 3, 8, 8), "float32")]
    outputs = [Tensor("output", (1, 10), "float32")]
    write_manifest(folder, inputs, outputs, target, threads=1, facts={"model": "small"})
    write_runner(folder, {"input": np.ones((1, 3, 8, 8), np.float32)})
    return folder


def lacking_features(folder, flags=None):
    """Features that a package needs and a CPU of such flags, this one by default, has not."""
    needed = json.loads((folder / "manifest.json").read_text())["cpu_features"]
    return missing_features(needed, cpu_info()[1] if flags is None else flags)


def run(folder, *arguments, cwd=None):
    # Nothing of this project is on the path there.
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TVM_NUM_THREADS")}
    command = [sys.executable, str(folder / "run.py"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=own, capture_output=True, text=True, timeout=120, check=False
    )


def test_it_computes_what_onnxruntime_does_wherever_it_is_copied_to(package, small_onnx, tmp_path):
    moved = shutil.copytree(package, tmp_path / "elsewhere")
    assert sorted(path.name for path in moved.iterdir()) == sorted(FILES)
    array = np.random.default_rng(5).standard_normal((1, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "in.npz", input=array)
    done = run(moved, tmp_path / "in.npz", tmp_path / "out.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reference = OnnxRuntimeModel(small_onnx, 1)
    reference.bind([array])
    reference.run()
    found = np.load(tmp_path / "out.npz")
    assert found.files == ["output"]
    np.testing.assert_allclose(found["output"], reference.outputs()[0], rtol=1e-4, atol=1e-5)


def test_an_input_of_another_name_is_not_taken_for_none(package, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 3, 8, 8), np.float32))
    done = run(package, tmp_path / "in.npz")
    assert done.returncode == 1
    assert "holds x; the model's inputs: [{'name': 'input', 'shape': [1, 3, 8, 8]" in done.stderr


def test_it_runs_without_any_file(package):
    done = run(package)
    assert done.returncode == 0, done.stderr
    assert "'output': ((1, 10), [" in done.stdout


def test_indices_truth_values_and_scalars_are_drawn_as_the_model_takes_them(target, tmp_path):
    import onnx

    from rivulet.graph.prepare import prepare_model

    model = model_of(
        """
        g (int64[1,5] ids, bool[1,5,1] keep, float gain) => (float[1,5,4] y, float z) {
            rows = Gather (table, ids)
            zero = Constant <value = float {0.0}> ()
            kept = Where (keep, rows, zero)
            y = Mul (kept, gain)
            z = Neg (gain)
        }""",
        table=np.ones((3, 4), np.float32),
    )
    onnx.save(model, str(tmp_path / "net.onnx"))
    facts = check_onnx(tmp_path / "net.onnx")
    folder = tmp_path / "package"
    folder.mkdir()
    prepared = prepare_model(tmp_path / "net.onnx", target)
    compile_model(prepared, target, None, folder / LIBRARY)
    pack_weights(folder / LIBRARY, prepared.params, folder / WEIGHTS, open_place(HERE))
    names = [one["name"] for one in facts["inputs"]]
    inputs = [Tensor(one["name"], tuple(one["shape"]), one["dtype"]) for one in facts["inputs"]]
    outputs = [Tensor("y", (1, 5, 4), "float32"), Tensor("z", (), "float32")]
    write_manifest(folder, inputs, outputs, target, threads=1, facts={"model": "net"})
    write_runner(folder, dict(zip(names, input_values(facts["inputs"], 0), strict=True)))
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "'z': ((), [" in done.stdout
    given = {"ids": np.array([[0, 1, 2, 1, 0]]), "keep": np.ones((1, 5, 1), bool), "gain": 2.0}
    np.savez(tmp_path / "in.npz", **given)
    done = run(folder, tmp_path / "in.npz", tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(found["y"], np.full((1, 5, 4), 2, np.float32))
    assert found["z"].shape == ()
    assert found["z"] == -2


def test_the_example_is_short_and_needs_nothing_of_this_project(package):
    text = (package / "run.py").read_text()
    assert "rivulet" not in text
    code = text.split("import numpy as np\n")[1].splitlines()
    assert len([line for line in code if line.strip()]) <= 34


def test_a_cpu_without_the_features_is_told_so_and_not_left_to_crash(package, tmp_path):
    moved = shutil.copytree(package, tmp_path / "small-untuned-0")
    manifest = json.loads((moved / "manifest.json").read_text())
    manifest["cpu_features"] += ["avx1024f", "amxfuture"]
    (moved / "manifest.json").write_text(json.dumps(manifest))
    done = run(moved)
    assert done.returncode == 1
    assert done.stderr == (
        "small-untuned-0: compiled for a CPU with amxfuture, avx1024f, which this one lacks\n"
    )
    assert lacking_features(moved) == ["amxfuture", "avx1024f"]


def test_the_manifest_names_what_this_cpu_has(package):
    manifest = json.loads((package / "manifest.json").read_text())
    assert manifest["inputs"] == [{"name": "input", "shape": [1, 3, 8, 8], "dtype": "float32"}]
    assert manifest["threads"] == 1
    assert lacking_features(package) == []
    if {"avx2", "fma"} <= cpu_info()[1]:
        assert {"avx2", "fma"} <= set(manifest["cpu_features"])
        assert lacking_features(package, frozenset({"avx2"})) != []
