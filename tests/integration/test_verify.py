"""A model is held against ONNX Runtime before anything is searched."""

from dataclasses import replace

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import write_onnx
from rivulet.errors import UserError
from rivulet.graph.errors import told
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.leftover import refuse_leftovers
from rivulet.tvm_compat import load_tvm
from rivulet.verify.check import Check, verify
from rivulet.verify.culprit import failing_node
from rivulet.verify.loops import with_plain_schedules


def check_of(path, folder, prepare=prepare_model):
    model = onnx.load(str(path))
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    draws = [[np.random.default_rng(k).standard_normal(shape).astype(np.float32)] for k in (0, 1)]
    outputs = [value.name for value in model.graph.output]
    return Check(
        path, "mine/model.onnx", draws, outputs, 1, 1e-3, "benchmark.tolerance", folder,
        lambda _: None, prepare,
    )  # fmt: skip


def importer_that_errs_at(result, operator="Neg"):
    """Preparation as by an importer that takes one node for another."""

    def prepare(path, target):
        model = onnx.load(str(path))
        for node in model.graph.node:
            if result in node.output:
                node.op_type = operator
        path = path.with_suffix(".wrong.onnx")
        onnx.save(model, str(path))
        return prepare_model(path, target)

    return prepare


def branches(path, length=10):
    """Two chains of Tanhs and Adds from one input, node by node in turn, that meet at the end."""
    add = numpy_helper.from_array(np.full((1, 4), -0.1, np.float32), "w")
    nodes, ends = [], {"a": "input", "b": "input"}
    for step in range(length):
        for branch in ends:
            middle, end = f"{branch}{step}_add", f"{branch}{step}"
            nodes.append(helper.make_node("Add", [ends[branch], "w"], [middle]))
            nodes.append(helper.make_node("Tanh", [middle], [end], name=f"tanh_{end}"))
            ends[branch] = end
    nodes.append(helper.make_node("Sub", [ends["a"], "input"], ["half"]))
    nodes.append(helper.make_node("Add", ["half", ends["b"]], ["output"]))
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("input", "output")
    ]
    graph = helper.make_graph(nodes, "branches", values[:1], values[1:], [add])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), str(path))
    return path


def test_a_right_model_passes(small_onnx, small_model, target, tmp_path):
    assert 0 <= verify(check_of(small_onnx, tmp_path), small_model, target) < 1e-4
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_a_model_for_a_device_of_another_kind_is_checked_on_this_cpu(
    small_onnx, small_model, tmp_path
):
    tvm = load_tvm()
    gpu = tvm.target.Target({"kind": "cuda", "arch": "sm_80"}, host={"kind": "llvm"})
    assert verify(check_of(small_onnx, tmp_path), small_model, gpu) < 1e-4


def test_a_wrong_output_is_told_with_the_operator_that_it_comes_from(small_onnx, target, tmp_path):
    prepare = importer_that_errs_at("r2")
    path = tmp_path / "model.onnx"
    path.write_bytes(small_onnx.read_bytes())
    with pytest.raises(
        UserError,
        match=r"^mine/model.onnx: TVM computes this model wrongly: output 'output' differs from "
        r"ONNX Runtime's by \S+ relative \(allowed: 0.001, benchmark.tolerance\); the first "
        r"operator that differs is Relu 'r2' \(by \S+ relative\): export the model without it",
    ):
        verify(check_of(path, tmp_path, prepare), prepare(path, target), target)


def test_an_error_that_some_inputs_alone_show_is_found_and_traced_with_these(target, tmp_path):
    text = """
    <ir_version: 8, opset_import: ["" : 18]>
    small (float[1, 4] input) => (float[1, 4] output)
    {
        positive = Relu (input)
        output = Tanh (positive)
    }
    """
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), str(path))
    prepare = importer_that_errs_at("positive", "Abs")
    wrong = prepare(path, target)
    positive = np.full((1, 4), 0.5, np.float32)
    check = check_of(path, tmp_path, prepare)
    assert verify(replace(check, draws=[[positive]]), wrong, target) < 1e-4
    draws = [[positive], [-positive], [positive]]
    with pytest.raises(UserError, match="first operator that differs is Relu 'positive'"):
        verify(replace(check, draws=draws), wrong, target)


@pytest.mark.parametrize("wrong", ["a7", "b0"])
def test_the_operator_is_found_in_one_branch_of_several(wrong, target, tmp_path):
    prepare = importer_that_errs_at(wrong)
    path = branches(tmp_path / "model.onnx")
    with pytest.raises(UserError, match=f"first operator that differs is Tanh 'tanh_{wrong}'"):
        verify(check_of(path, tmp_path, prepare), prepare(path, target), target)


def test_an_output_of_another_shape_is_said_so(small_onnx, target, tmp_path):
    wide = write_onnx(tmp_path / "wide.onnx", last="Identity")
    model = onnx.load(str(wide))
    model.graph.node[-1].CopyFrom(helper.make_node("Transpose", ["g"], ["output"]))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 10
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    onnx.save(model, str(wide))
    with pytest.raises(UserError, match="differs from ONNX Runtime's by its shape"):
        verify(check_of(small_onnx, tmp_path), prepare_model(wide, target), target)


def test_kernels_that_are_run_once_get_parallel_vectorised_loops(target, tmp_path):
    path = write_onnx(tmp_path / "model.onnx", channels=32, size=32)
    scheduled = with_plain_schedules(prepare_model(path, target).module).script()
    assert "T.parallel" in scheduled
    assert "T.vectorized" in scheduled


def test_an_operator_without_loops_is_refused_by_name(target):
    load_tvm()
    from tvm import relax

    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType((1, 8, 8, 4), "float32"))
    weight = relax.Var("weight", relax.TensorType((4, 4, 3, 3), "float32"))
    with builder.function("main", [data, weight]):
        value = data
        for _ in range(2):
            value = builder.emit(
                relax.op.nn.conv2d_transpose(
                    value, weight, padding=(1, 1), data_layout="NHWC", kernel_layout="IOHW"
                )
            )
        builder.emit_func_output(value)
    module = relax.transform.LegalizeOps()(builder.get())
    with pytest.raises(
        UserError, match=r"TVM has no loops for relax.nn.conv2d_transpose \(2 of them\)"
    ):
        refuse_leftovers(module, target)


def test_what_tvm_sorts_by_itself_is_no_leftover(target, tmp_path):
    path = write_onnx(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    model.graph.initializer.append(numpy_helper.from_array(np.array([10], np.int64), "k"))
    model.graph.node[-1].CopyFrom(helper.make_node("TopK", ["g", "k"], ["output", "places"]))
    onnx.save(model, str(path))
    prepared = prepare_model(path, target)
    assert dict(refuse_leftovers(prepared.module, target)) == {"relax.topk": 1}
    assert verify(check_of(path, tmp_path), prepared, target) < 1e-4


def test_the_operator_at_which_preparation_fails_is_found(target, tmp_path):
    def prepare(path, target):
        """Preparation as with a pass that fails at one operator."""
        if any(node.name == "tanh_b3" for node in onnx.load(str(path)).graph.node):
            raise RuntimeError("Check failed: (false) is false: no such layout")
        return prepare_model(path, target)

    path = branches(tmp_path / "model.onnx")
    with (
        pytest.raises(
            UserError, match=r"^mine/a.onnx: TVM fails at Tanh 'tanh_b3': no such layout; docs/"
        ),
        told("mine/a.onnx", path, lambda: failing_node(path, target, prepare, tmp_path)),
    ):
        prepare(path, target)


def test_failures_name_the_users_file(tmp_path):
    copy = tmp_path / "copy.onnx"
    with (
        pytest.raises(UserError, match=r"^mine/a.onnx: node 'x' is odd$"),
        told("mine/a.onnx", copy),
    ):
        raise UserError(f"{copy}: node 'x' is odd")
    with (
        pytest.raises(
            UserError,
            match=r"^mine/a.onnx: TVM fails on this model: Invalid layout S; docs/operators",
        ),
        told("mine/a.onnx", copy),
    ):
        raise RuntimeError(
            "many\nlines\nCheck failed: (res != std::string::npos) is false: Invalid layout S"
        )


def test_the_kernels_to_be_searched_are_left_without_a_schedule(tmp_path, target):
    import tvm_ffi

    model = prepare_model(write_onnx(tmp_path / "m.onnx", channels=32, size=32), target)
    before = {name: tvm_ffi.structural_hash(f) for name, f in model.module.functions_items()}
    quick = with_plain_schedules(model.module)
    after = {name: tvm_ffi.structural_hash(f) for name, f in model.module.functions_items()}
    assert before == after
    changed = [n for n, f in quick.functions_items() if tvm_ffi.structural_hash(f) != before[n]]
    assert len(changed) >= 3
