"""Export, preparation and kernel extraction with the real torch, ONNX Runtime and TVM."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, write_onnx
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.kernels import load_kernels, save_kernels
from rivulet.kernels.extract import extract_kernels, refuse_others
from rivulet.models import onnx_files
from rivulet.models.adopt import adopt_onnx
from rivulet.models.description import check_onnx
from rivulet.models.export import export_torchvision
from rivulet.models.onnx_files import weights_beside

SRC = str(ROOT / "src")


def quiet(_):
    pass


def test_torchvision_export_is_checked_folded_and_repeatable(tmp_path):
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path / "c.onnx"]
    facts = [
        export_torchvision("resnet18", [1, 3, 32, 32], "random", seed, path=path, say=quiet)
        for path, seed in zip(paths, (0, 0, 1), strict=True)
    ]
    assert facts[0]["batch_norms"] == 0
    assert facts[0]["opset"] == 18
    assert facts[0]["inputs"] == [{"name": "input", "shape": [1, 3, 32, 32], "dtype": "float32"}]
    assert facts[0]["max_rel_error_against_torch"] < 1e-4
    assert facts[0]["input_sensitivity"] > 0.1  # a wrong kernel would show in the output
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes() != paths[2].read_bytes()


def test_an_input_that_is_too_small_is_said_so(tmp_path):
    with pytest.raises(
        UserError, match=r"alexnet does not accept an input of shape \[1, 3, 8, 8\]"
    ):
        export_torchvision(
            "alexnet", [1, 3, 8, 8], "random", 0, path=tmp_path / "x.onnx", say=quiet
        )


def test_a_model_that_cannot_be_exported_is_said_so(tmp_path):
    with pytest.raises(UserError, match=r"vgg11 cannot be exported for an input of shape .*factor"):
        export_torchvision(
            "vgg11", [1, 3, 64, 64], "random", 0, path=tmp_path / "x.onnx", say=quiet
        )


def test_an_output_that_ignores_the_input_is_warned_of(tmp_path):
    heard = []
    # The sigmoid of a large bias is one, whatever the input.
    path = write_onnx(tmp_path / "deaf.onnx", last="Sigmoid", bias=50.0)
    facts = adopt_onnx(path, tmp_path / "copy.onnx", heard.append)
    assert facts["input_sensitivity"] < 1e-6
    assert heard[-1].startswith("warning: the output hardly depends on the input")


def test_a_users_file_is_adopted_as_it_is(small_onnx, tmp_path):
    facts = adopt_onnx(small_onnx, tmp_path / "copy.onnx", quiet)
    assert (tmp_path / "copy.onnx").read_bytes() == small_onnx.read_bytes()
    assert facts["inputs"][0]["shape"] == [1, 3, 8, 8]


def test_weights_that_do_not_fit_lie_beside_the_file(small_onnx, target, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "_MOST_BYTES", 1000)
    path = tmp_path / "copy.onnx"
    facts = adopt_onnx(small_onnx, path, quiet)
    beside = weights_beside(path)
    assert path.stat().st_size + beside.stat().st_size > small_onnx.stat().st_size
    assert check_onnx(path)["inputs"] == facts["inputs"]
    whole, split = prepare_model(small_onnx, target), prepare_model(path, target)
    for ours, theirs in zip(split.params, whole.params, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    monkeypatch.undo()
    adopt_onnx(path, tmp_path / "whole.onnx", quiet)
    assert not weights_beside(tmp_path / "whole.onnx").exists()
    adopt_onnx(small_onnx, path, quiet)  # a smaller model under the name of a larger one
    assert not beside.exists()


def test_the_compiler_of_torch_is_there_when_it_is_asked_for():
    code = (
        "import sys; from rivulet.models.torchvision_import import import_torchvision as load\n"
        "torch, torchvision = load()\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "from torchvision.ops.roi_align import is_compile_supported\n"
        "assert is_compile_supported('cpu') in (True, False)\n"
        "assert callable(torch._dynamo.optimize)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": SRC})


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(UserError, match=r"x\.onnx: not a valid ONNX model"):
        check_onnx(path)


def test_a_dimension_without_size_is_refused(small_onnx, tmp_path):
    import onnx

    model = onnx.load(str(small_onnx))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, str(tmp_path / "dynamic.onnx"))
    with pytest.raises(UserError, match=r"open dimensions: 'input' \[batch, 3, 8, 8\]"):
        check_onnx(tmp_path / "dynamic.onnx")


def test_no_weight_transform_is_a_kernel(kernels, small_model):
    # In the order in which the model runs them. The first one reads the image channels first.
    assert [k.kind for k in kernels] == [
        "image_conv2d_add_relu", "conv2d_add_relu", "mean", "matmul_add",
    ]  # fmt: skip
    shapes = [tuple(int(n) for n in p.shape) for p in small_model.params]
    assert (3, 3, 3, 8) in shapes  # HWIO already


def test_flops_of_a_convolution(kernels):
    conv = next(k for k in kernels if k.shapes[1] == (3, 3, 8, 8))
    outputs = 8 * 8 * 8
    assert conv.flops == outputs * (3 * 3 * 8 * 2) + 2 * outputs  # and bias and ReLU


def test_equal_layers_of_other_models_are_the_same_workload(kernels, target, tmp_path):
    other = extract_kernels(prepare_model(write_onnx(tmp_path / "o.onnx", seed=9), target), target)
    assert [k.workload for k in other] == [k.workload for k in kernels]
    wide = extract_kernels(prepare_model(write_onnx(tmp_path / "w.onnx", 16), target), target)
    assert not {k.workload for k in wide} & {k.workload for k in kernels}
    assert {k.kind for k in wide} == {k.kind for k in kernels}


def test_a_model_with_other_kernels_than_those_searched_is_refused(kernels, small_model):
    table = Path("results/local/kernels/small.csv")
    refuse_others(small_model.module, [kernel.workload for kernel in kernels], table)
    with pytest.raises(
        UserError, match=r"small\.csv: 1 of the model's kernels .* fused_image_conv2d"
    ):
        refuse_others(small_model.module, [k.workload for k in kernels[1:]], table)


def test_kernels_come_back_as_saved(kernels, tmp_path):
    table, workloads = tmp_path / "k.csv", tmp_path / "k.json.gz"
    save_kernels(kernels, table, workloads)
    first = workloads.read_bytes()
    loaded = load_kernels(workloads)
    assert [(k.task, k.workload, k.shapes, k.flops) for k in loaded] == [
        (k.task, k.workload, k.shapes, k.flops) for k in kernels
    ]
    save_kernels(loaded, table, workloads)
    assert workloads.read_bytes() == first
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1]["class"] == "conv2d_add_relu"
    assert np.prod([int(n) for n in rows[1]["shapes"].split()[-1].split("x")]) == 8 * 8 * 8


def test_a_damaged_kernel_file_says_what_to_do(tmp_path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(b"cut off")
    with pytest.raises(UserError, match="delete it, and the workflow makes it again"):
        load_kernels(path)
