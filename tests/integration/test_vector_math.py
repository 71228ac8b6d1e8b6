"""Transcendental functions on vectors: every kind of float32 against float64, on real kernels."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from rivulet.measure.pool import Worker
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.vector_math import left_to_tvm

BOUND = 1e-6
FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "erf": special.erf,
    "sigmoid": special.expit,
    "sinh": np.sinh,
    "cosh": np.cosh,
}
# CPU, numbers per vector of the vectorised loop (0: a plain loop), flags that it takes to run it.
CPUS = {
    "avx512": ("skylake-avx512", 16, {"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
    "avx2": ("haswell", 8, {"avx2", "fma"}),
    "plain loop": ("haswell", 0, {"avx2", "fma"}),
    "no fused multiply-add": ("nehalem", 4, {"sse4_2"}),
}
FLAGS = set(re.search(r"flags\s*:(.*)", Path("/proc/cpuinfo").read_text())[1].split())
SPECIAL = [0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1, -1, 2.0**-149, -(2.0**-149), 2.0**-126]


@pytest.fixture(scope="module")
def numbers():
    """Every 4099th pattern of bits, the numbers where functions do something, and the odd ones."""
    patterns = np.arange(0, 2**32, 4099).astype(np.uint32).view(np.float32)
    inner = np.linspace(-110, 110, 300_000, dtype=np.float32)
    values = np.concatenate([patterns, inner, np.array(SPECIAL, np.float32)])
    return np.concatenate([values, np.ones(-len(values) % 64, np.float32)])


def kernel(function, size, lanes, dtype="float32", unrolled=1):
    """A scheduled kernel with a function of one number, for each of ``size``."""
    tvm = load_tvm()
    from tvm import te

    data = te.placeholder((size,), name="data", dtype=dtype)
    result = te.compute((size,), lambda i: function(data[i]), name="result")
    schedule = tvm.s_tir.Schedule(te.create_prim_func([data, result]))
    if lanes:
        (loop,) = schedule.get_loops(schedule.get_sblock("result"))
        _, copies, vector = schedule.split(loop, [None, unrolled, lanes])
        schedule.unroll(copies)
        schedule.vectorize(vector)
    return schedule.mod


def function_named(name):
    load_tvm()
    from tvm import tirx

    return getattr(tirx, name)


def power(exponent):
    load_tvm()
    from tvm import tirx

    return lambda x: tirx.pow(x, tirx.const(exponent, "float32"))


def compiled(module, cpu, **more):
    tvm = load_tvm()
    return tvm.compile(module, tvm.target.Target({"kind": "llvm", "mcpu": cpu, **more}))


def results(library, values):
    tvm = load_tvm()
    out = tvm.runtime.tensor(np.zeros_like(values))
    library["main"](tvm.runtime.tensor(values), out)
    return out.numpy()


def called(library):
    """Functions that a kernel's code calls, but for TVM's own."""
    text = library.mod.inspect_source("asm")
    names = set(re.findall(r"\b(?:callq?|bl|jmp|b)\s+\*?([A-Za-z]\w*)", text))
    return {name for name in names if not re.match(r"main|TVM|_?_?tvm", name)}


def assert_close(found, inputs, exact):
    """NaN and infinities where they belong, and all else within the bound."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(rounded))
    some = np.isfinite(rounded)
    np.testing.assert_array_equal(np.signbit(found)[some], np.signbit(rounded)[some])
    # What is denormal has fewer digits: there the bound is one unit of its last place.
    allowed = np.maximum(BOUND * np.abs(exact[some]), 2.0**-149)
    wrong = np.abs(found[some] - exact[some]) > allowed
    assert not wrong.any(), inputs[some][wrong][:10]
    np.testing.assert_array_equal(np.sign(found)[~some], np.sign(rounded)[~some])


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_keeps_its_bound_over_the_whole_range(numbers, name, cpu):
    processor, lanes, flags = CPUS[cpu]
    library = compiled(kernel(function_named(name), len(numbers), lanes), processor)
    if flags <= FLAGS:  # elsewhere it compiles, at least
        with np.errstate(all="ignore"):
            exact = FUNCTIONS[name](numbers.astype(np.float64))
        assert_close(results(library, numbers), numbers, exact)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("cpu", "lanes", "more"),
    [
        ("skylake-avx512", 16, {}),
        ("haswell", 8, {}),
        ("haswell", 0, {}),
        ("cortex-a76", 4, {"mtriple": "aarch64-linux-gnu"}),
    ],
)
def test_a_kernel_calls_nothing_of_the_c_library(name, cpu, lanes, more):
    library = compiled(kernel(function_named(name), 1024, lanes), cpu, **more)
    assert called(library) == set()


def test_a_loop_that_no_schedule_vectorised_is_vectorised_by_llvm():
    for name in FUNCTIONS:
        library = compiled(kernel(function_named(name), 1024, 0), "haswell")
        assert "fmadd213ps" in library.mod.inspect_source("asm"), name


def test_unrolled_copies_of_a_call_are_all_right(numbers):
    exp = function_named("exp")
    module = kernel(lambda x: exp(x) * exp(x - 1.0), len(numbers), 8, unrolled=4)
    values = np.clip(np.nan_to_num(numbers), -40, 40)
    exact = np.exp(2.0 * values.astype(np.float64) - 1.0)
    np.testing.assert_allclose(results(compiled(module, "haswell"), values), exact, rtol=5e-6)


@pytest.mark.parametrize("exponent", [-4, -0.5, 0, 0.25, 0.5, 0.75, 1.5, 2, 3, 4, 7, 8])
def test_a_power_with_a_constant_exponent_is_products_and_roots(numbers, exponent):
    library = compiled(kernel(power(exponent), len(numbers), 8), "haswell")
    assert called(library) == set()
    with np.errstate(all="ignore"):
        # With an array of exponents NumPy does not take its own short cut for a half.
        exact = np.power(numbers.astype(np.float64), np.full(len(numbers), exponent))
    # Products of denormal factors have lost digits.
    digits = (np.abs(exact) > 1e-37) | (exact == 0) | ~np.isfinite(exact)
    assert_close(results(library, numbers)[digits], numbers[digits], exact[digits])


@pytest.mark.parametrize("exponent", [1 / 3, 9, -5])
def test_any_other_power_is_left_to_the_c_library(exponent):
    library = compiled(kernel(power(exponent), 1024, 8), "haswell")
    assert called(library) == {"powf"}


@pytest.mark.parametrize("lanes", [0, 8])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_double_precision_stays_exact(name, lanes):
    values = np.linspace(0.1, 5, 1024)
    library = compiled(kernel(function_named(name), 1024, lanes, "float64"), "haswell")
    np.testing.assert_allclose(results(library, values), FUNCTIONS[name](values), rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_half_precision_is_computed_in_single(name):
    values = np.linspace(0.1, 5, 1024).astype(np.float16)
    library = compiled(kernel(function_named(name), 1024, 8, "float16"), "haswell")
    exact = FUNCTIONS[name](values.astype(np.float64))
    np.testing.assert_allclose(results(library, values), exact, rtol=2.0**-11)
    assert called(library) == set()


def test_tvms_own_calls_can_be_had_for_comparison():
    with left_to_tvm():
        own = compiled(kernel(function_named("exp"), 1024, 8), "haswell")
    assert called(own) == {"expf"}


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


ACTIVATIONS = {
    "softmax": lambda x: special.softmax(x, axis=-1),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
    "gelu": lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * special.expit(x),
    "softplus": softplus,
    "mish": lambda x: x * np.tanh(softplus(x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_a_model_agrees_with_double_precision(name):
    tvm = load_tvm()
    from tvm import relax
    from tvm.relax.op import multiply, nn, tanh

    def mish(x):
        return multiply(x, tanh(nn.softplus(x)))

    values = np.random.default_rng(0).uniform(-12, 12, (64, 200)).astype(np.float32)
    x = relax.Var("x", relax.TensorType(values.shape, "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        result = builder.emit(mish(x) if name == "mish" else getattr(nn, name)(x))
        builder.emit_func_output(result)
    built = tvm.compile(builder.get(), tvm.target.Target({"kind": "llvm", "mcpu": "haswell"}))
    machine = relax.VirtualMachine(built, tvm.cpu())
    found = machine["main"](tvm.runtime.tensor(values)).numpy()
    exact = ACTIVATIONS[name](values.astype(np.float64))
    # 1 + erf(x) and 1 + tanh(x) cancel far left of zero, in any float32 implementation.
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=2e-6 if "gelu" in name else 1e-6)


def test_processes_that_build_candidates_have_it(tmp_path):
    tvm = load_tvm()
    target = tvm.target.Target({"kind": "llvm", "mcpu": "haswell"})
    worker = Worker(1, 10, 4)
    try:
        library = tmp_path / "kernel.so"
        module = kernel(function_named("exp"), 1024, 8)
        worker.call("build", module, target, str(library), True, timeout=60)
        assert b"expf" not in library.read_bytes()
    finally:
        worker.close()
