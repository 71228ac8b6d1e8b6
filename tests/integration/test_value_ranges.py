"""What kernels' arguments are filled with, told from the kernels themselves."""

import numpy as np
import onnx
import onnx.parser
import pytest

from rivulet.measure.values import argument_values
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import kernel_call
from rivulet.tvm_compat.intervals import Interval
from rivulet.tvm_compat.kernel_code import read_code
from rivulet.tvm_compat.value_ranges import value_ranges

PLAIN, POSITIVE = Interval(-1, 1), Interval(0.5, 1.5)


@pytest.fixture(scope="module")
def module_of(target):
    """Makes a kernel's module of TVMScript: arguments, and statements after a loop's heads."""
    tvm = load_tvm()

    def make(arguments, body):
        lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
        source = (
            "@T.prim_func(s_tir=True)\n"
            f"def main({arguments}):\n"
            '    T.func_attr({"tirx.noalias": True, "global_symbol": "main"})\n'
            f"{lines}\n"
        )
        return tvm.IRModule({"main": tvm.script.from_source(source, {"T": tvm.script.tirx})})

    return make


def ranges(module):
    return value_ranges(read_code(module["main"]))


TAKE = """
for i, j in T.grid(9, 16):
    with T.sblock("take"):
        vi, vj = T.axis.remap("SS", [i, j])
        out[vi, vj] = {}
"""
TABLE = 't: T.Buffer((50, 16), "float32"), i0: T.Buffer((9,), "int64"), '
OUT = 'out: T.Buffer((9, 16), "float32")'


@pytest.mark.parametrize(
    "element",
    [
        "t[i0[vi], vj]",
        "t[T.max(i0[vi], T.int64(0)), vj]",
        "t[T.Select(i0[vi] < T.int64(0), i0[vi] + T.int64(50), i0[vi]), vj]",
        "T.if_then_else(i0[vi] < T.int64(50), t[i0[vi], vj], T.float32(0))",
        'T.exp(t[T.Cast("int64", T.Cast("int32", i0[vi])), vj])',
    ],
)
def test_an_index_reaches_all_of_what_it_indexes_and_no_more(module_of, element):
    found = ranges(module_of(TABLE + OUT, TAKE.format(element)))
    assert found == (PLAIN, Interval(0, 49), PLAIN)


def test_indices_that_are_added_up_stay_within_bounds_together(module_of):
    arguments = TABLE + 'i1: T.Buffer((9,), "int64"), ' + OUT
    found = ranges(module_of(arguments, TAKE.format("t[i0[vi] + i1[vi], vj]")))
    assert found[1] == found[2]
    assert 0 < found[1].high + found[2].high <= 49


def test_what_cannot_be_shown_to_lie_within_bounds_is_zero(module_of):
    body = TAKE.format("t[T.shift_left(i0[vi], T.int64(1)), vj]")
    assert ranges(module_of(TABLE + OUT, body))[1] == Interval(0, 0)


def test_a_floating_point_argument_that_is_cast_to_an_index_is_one(module_of):
    arguments = 't: T.Buffer((50, 16), "float32"), i0: T.Buffer((9,), "float32"), ' + OUT
    module = module_of(arguments, TAKE.format('t[T.Cast("int64", i0[vi]), vj]'))
    call = kernel_call(module, packed=True)
    values = argument_values(call, 1, 0)
    assert values.dtype == np.float32
    assert set(values) <= set(range(50))
    assert len(set(values)) > 1


@pytest.mark.parametrize(
    ("element", "wanted"),
    [
        ("T.sqrt(x[vi])", POSITIVE),
        ("T.log(x[vi])", POSITIVE),
        ("T.float32(1) / x[vi]", POSITIVE),
        ("T.rsqrt(x[vi] + T.float32(1e-5))", POSITIVE),
        ("T.pow(x[vi], T.float32(0.5))", POSITIVE),
        ("T.pow(x[vi], T.float32(2))", PLAIN),
        ("T.sqrt(x[vi] * x[vi])", PLAIN),
        ("T.log(T.exp(x[vi]))", PLAIN),
        ("T.log(T.max(x[vi], T.float32(0.01)))", PLAIN),
        ("T.sqrt(T.float32(1) - x[vi])", PLAIN),
        ("T.log(T.float32(1) - x[vi])", Interval(0.1, 0.9)),
        ("T.acos(x[vi])", PLAIN),
        ("T.atanh(x[vi])", Interval(0.1, 0.9)),
        ("T.acosh(x[vi])", Interval(1.25, 2.0)),
        ("T.exp(x[vi])", PLAIN),
    ],
)
def test_arguments_are_drawn_from_the_domain_of_what_is_done_with_them(module_of, element, wanted):
    body = f"""
for i in range(8):
    with T.sblock("block"):
        vi = T.axis.spatial(8, i)
        out[vi] = {element}
"""
    module = module_of('x: T.Buffer((8,), "float32"), out: T.Buffer((8,), "float32")', body)
    assert ranges(module)[0] == wanted


def test_deeply_nested_expressions_are_read():
    tvm = load_tvm()
    from tvm import te

    def deep(i):
        value = argument[i] / argument[i + 8]
        for _ in range(3000):
            value = value + argument[i + 16]
        return value

    argument = te.placeholder((24,), "float32", name="A")
    module = tvm.IRModule({"main": te.create_prim_func([argument, te.compute((8,), deep)])})
    code = read_code(module["main"])
    assert len(code.accesses) == 3003
    assert code.written == (1,)
    assert value_ranges(code) == (POSITIVE, PLAIN)


def test_whole_numbers_are_not_divided_by_zero(module_of):
    body = """
for i in range(8):
    with T.sblock("block"):
        vi = T.axis.spatial(8, i)
        out[vi] = T.floordiv(x[vi], y[vi])
"""
    buffers = ", ".join(f'{name}: T.Buffer((8,), "int32")' for name in ("x", "y", "out"))
    module = module_of(buffers, body)
    assert ranges(module)[1].low == 1
    assert argument_values(kernel_call(module, packed=True), 1, 0).min() >= 1


MODELS = {
    "gather": ("float[5, 7] x, int64[4] i", "float[4, 7] y", "y = Gather <axis = 0> (x, i)", 4),
    "gather an axis between": (
        "float[5, 7, 3] x, int64[4] i", "float[5, 4, 3] y", "y = Gather <axis = 1> (x, i)", 6,
    ),
    "gather_nd": ("float[5, 7, 3] x, int64[4, 2] i", "float[4, 3] y", "y = GatherND (x, i)", 4),
    "gather_elements": (
        "float[5, 7] x, int64[5, 2] i", "float[5, 2] y",
        "y = GatherElements <axis = 1> (x, i)", 6,
    ),
    "scatter_nd": (
        "float[5, 7, 3] x, int64[4, 2] i, float[4, 3] u", "float[5, 7, 3] y",
        "y = ScatterND (x, i, u)", 4,
    ),
    "scatter_elements": (
        "float[5, 7] x, int64[5, 2] i, float[5, 2] u", "float[5, 7] y",
        "y = ScatterElements <axis = 1> (x, i, u)", 6,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kernels_of(target, tmp_path_factory):
    """Makes a model's kernels of its inputs, outputs and one node."""
    from rivulet.graph.prepare import prepare_model
    from rivulet.kernels.extract import extract_kernels

    def make(inputs, outputs, node):
        header = '<ir_version: 8, opset_import: ["" : 18]>'
        weight = "float[1] w = {1}"
        text = f"{header} small ({inputs}) => ({outputs}) <{weight}> {{ x1 = Mul (x, w) {node} }}"
        model = onnx.parser.parse_model(text.replace("(x, i", "(x1, i"))
        path = tmp_path_factory.mktemp("models") / "small.onnx"
        onnx.save(model, str(path))
        return extract_kernels(prepare_model(path, target), target)

    return make


@pytest.mark.parametrize("name", MODELS)
def test_importers_index_kernels_get_indices_within_bounds(kernels_of, name):
    *model, last = MODELS[name]
    found = []
    for kernel in kernels_of(*model):
        call = kernel_call(kernel.module, packed=False)
        for position, (_, dtype) in enumerate(call.args):
            if "int" in dtype and not call.is_plain(position):
                found.append(call.range_of(position))
    assert found == [Interval(0, last)]


def test_a_schedule_changes_no_range(kernels_of, target):
    import random

    from rivulet.schedules.design_space import open_design_space

    for kernel in kernels_of(*MODELS["gather_nd"][:3]):
        _, space = open_design_space(kernel.module, target, None, 1, seed=1)
        for seed in (1, 2):
            schedule = space.schedule(space.sample(random.Random(seed)), seed)
            assert ranges(schedule.mod) == ranges(kernel.module)


def test_values_are_seeded_and_without_zeros_or_denormals(module_of):
    module = module_of(
        'x: T.Buffer((100000,), "float16"), m: T.Buffer((100,), "bool"), '
        'out: T.Buffer((100000,), "float16")',
        """
for i in range(100000):
    with T.sblock("block"):
        vi = T.axis.spatial(100000, i)
        out[vi] = x[vi]
""",
    )
    call = kernel_call(module, packed=True)
    values = argument_values(call, 0, 7)
    assert np.array_equal(values, argument_values(call, 0, 7))
    assert not np.array_equal(values, argument_values(call, 0, 8))
    assert values.dtype == np.float16
    assert np.abs(values).min() >= np.finfo(np.float16).tiny
    assert values.min() < -0.9
    assert values.max() > 0.9
    assert set(argument_values(call, 1, 7)) == {False, True}
