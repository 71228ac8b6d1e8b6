import pytest

from rivulet.kernels import Kernel, kernel_class
from rivulet.kernels.kernel import covered_flops


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("fused_conv2d9_add7_relu4", "conv2d_add_relu"),
        ("fused_conv2d_add_relu1", "conv2d_add_relu"),
        ("fused_conv2d1_add1_add2_relu11", "conv2d_add_add_relu"),
        ("max_pool2d11", "max_pool2d"),
        ("fused_transpose16_reshape41", "transpose_reshape"),
        ("adaptive_avg_pool2d", "adaptive_avg_pool2d"),
        ("mean1", "mean"),
    ],
)
def test_counters_do_not_make_classes(task, expected):
    assert kernel_class(task) == expected


def test_groups_of_channels_make_classes():
    dense = [(1, 8, 8, 16), (3, 3, 16, 32), (1, 8, 8, 32)]
    depthwise = [(1, 8, 8, 16), (3, 3, 1, 16), (1, 8, 8, 16)]
    grouped = [(1, 8, 8, 16), (3, 3, 4, 32), (1, 8, 8, 32)]
    single_channel = [(1, 8, 8, 1), (3, 3, 1, 4), (1, 8, 8, 4)]
    assert kernel_class("fused_conv2d3_add", dense) == "conv2d_add"
    assert kernel_class("fused_conv2d3_add", depthwise) == "depthwise_conv2d_add"
    assert kernel_class("fused_conv2d3_add", grouped) == "grouped_conv2d_add"
    assert kernel_class("conv2d", single_channel) == "conv2d"


def test_products_within_attention_are_a_class_of_their_own():
    dense = [(1, 50, 768), (768, 2304), (2304,), (1, 50, 2304)]
    attention = [(1, 12, 50, 64), (1, 12, 64, 50), (1, 12, 50, 50)]
    assert kernel_class("fused_matmul1_add3", dense) == "matmul_add"
    assert kernel_class("matmul", [(1, 512), (512, 1000), (1, 1000)]) == "matmul"
    assert kernel_class("matmul4", attention) == "batch_matmul"


def kernel(task, flops, weight=1):
    return Kernel(task, "c", ((1,),), "float32", flops, weight, task, None)


def test_covered_flops_counts_weights():
    kernels = [kernel("a", 10, 3), kernel("b", 20), kernel("c", 50)]
    assert covered_flops(kernels, {"a", "b"}) == pytest.approx(0.5)
    assert covered_flops(kernels, set()) == 0
    assert covered_flops([kernel("a", 0)], {"a"}) == 0
