"""By which tolerance an output is judged."""

import pytest

from rivulet.config import validate_config
from rivulet.kernels.kernel import Kernel
from rivulet.kernels.rounding import allowed_error
from rivulet.models.precision import tolerance_for

BENCHMARK = validate_config({"models": {"a": {"torchvision": "resnet18"}}}).plain["benchmark"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (1e-3, "benchmark.tolerance")),  # a record of an earlier version
        ({"precision": "float32"}, (1e-3, "benchmark.tolerance")),
        ({"precision": "float16"}, (2e-2, "benchmark.tolerance_float16")),
        ({"precision": "qdq"}, (5e-2, "benchmark.tolerance_qdq")),
    ],
)
def test_a_models_precision_decides_which_key_judges_its_output(facts, expected):
    assert tolerance_for(BENCHMARK, facts) == expected


def test_kernels_of_coarse_formats_may_differ_by_more():
    def kernel(dtype):
        return Kernel("t", "add", ((1,),), dtype, 1.0, 1, "w", None)

    assert allowed_error(1e-3, [kernel("float32"), kernel("int64")]) == 1e-3
    assert allowed_error(1e-3, [kernel("float32"), kernel("float16")]) == 2e-2
    assert allowed_error(5e-2, [kernel("int8")]) == 5e-2
