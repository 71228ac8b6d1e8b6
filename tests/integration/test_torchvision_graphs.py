"""What is left in the graphs of torchvision's families beside the models' own work: nothing."""

import math
from collections import Counter

import pytest

from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.models.export import export_torchvision
from rivulet.tvm_compat import load_tvm

# The smallest model of each family, and an input about as small as it takes.
SIZES = {
    "squeezenet1_1": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "densenet121": 32,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "shufflenet_v2_x0_5": 32,
    "efficientnet_b0": 32,
    "regnet_x_400mf": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "convnext_tiny": 32,
    "swin_t": 32,
    "vit_b_32": 224,
}
_BROADCAST = 1  # TVM's number of operators that work on each element, some with broadcasts


@pytest.mark.parametrize("name", SIZES)
def test_a_model_has_no_work_but_its_own(name, target, tmp_path):
    path, size = tmp_path / "model.onnx", SIZES[name]
    export_torchvision(name, [1, 3, size, size], "random", 0, path=path, say=lambda _: None)
    module = prepare_model(path, target).module
    left = inspect_module(module)
    assert left.calls > 10
    assert left.transposes_inside == []
    assert left.weight_only == []
    assert elementwise_apart(module) == []


def test_an_activation_that_was_not_fused_is_seen():
    load_tvm()
    from tvm import relax

    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType((1, 8, 8, 4), "float32"))
    weight = relax.Var("weight", relax.TensorType((3, 3, 4, 4), "float32"))
    with builder.function("main", [data, weight]):
        product = builder.emit(
            relax.op.nn.conv2d(data, weight, data_layout="NHWC", kernel_layout="HWIO")
        )
        builder.emit_func_output(builder.emit(relax.op.nn.relu(product)))
    module = relax.transform.LegalizeOps()(builder.get())
    assert elementwise_apart(module) == ["relu"]


def elementwise_apart(module):
    """Kernels that the kernel before them could compute on its way.

    These do nothing but work on each element, and one of the values that they read, as large as
    what they put out, is another kernel's and read by nothing else.
    """
    load_tvm()
    from tvm import relax

    module = relax.transform.AnnotateTIROpPattern()(module)
    bindings = [one for block in module["main"].body.blocks for one in block.bindings]
    computed, reads = {}, {}
    for binding in bindings:
        reads[binding.var] = list(relax.analysis.free_vars(binding.value))
        if getattr(getattr(binding.value, "op", None), "name", "") == "relax.call_tir":
            computed[binding.var] = binding.value.args[0]
    readers = Counter(var for several in reads.values() for var in several)
    return [
        kernel.name_hint
        for var, kernel in computed.items()
        if int(module[kernel].attrs["op_pattern"]) <= _BROADCAST
        and any(
            read in computed and readers[read] == 1 and elements(read) == elements(var)
            for read in reads[var]
        )
    ]


def elements(var):
    """How many numbers a value has."""
    return math.prod(int(extent) for extent in var.ty.shape)
