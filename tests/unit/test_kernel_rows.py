"""Kernels of a model by method, under the machine's roofs."""

import pytest

from rivulet.benchmark.estimates import Sampling
from rivulet.benchmark.kernel_rows import OTHER, Roofline, kernel_rows, moved_bytes
from rivulet.benchmark.pair import PairResult

SUBJECT = {"hardware": "h", "target": "t", "source": "s", "log": "ansor", "trials": "8"}
KERNELS = {
    "conv": {"class": "conv2d", "flops": "1000000", "weight": "2", "shapes": "10x10 10x10 10x10",
             "dtype": "float32"},
    "add": {"class": "add", "flops": "1000", "weight": "1", "shapes": "1000 1000 scalar",
            "dtype": "float32"},
    "transpose": {"class": "transpose", "flops": "0", "weight": "1", "shapes": "1000 1000",
                  "dtype": "float32"},
}  # fmt: skip
ROOFLINE = Roofline(gflops=100.0, gbytes=10.0)
SAMPLING = Sampling(0.95, 100, 0)


def rows(*spent):
    results = [PairResult({}, {}, {}, {"ansor": functions}) for functions in spent]
    return kernel_rows(SUBJECT, results, KERNELS, ROOFLINE, sampling=SAMPLING)


def test_a_kernel_is_told_by_run_with_its_share_of_the_roofs():
    found = rows({"conv": 40.0, "add": 10.0, "vm.builtin": 5.0})
    assert [row.kernel for row in found] == ["conv", "add", OTHER]
    conv, add, other = found
    assert (conv.latency_us, conv.runs, conv.kernel_class) == (20.0, 2, "conv2d")
    assert conv.gflops == 50.0
    assert (conv.share_of_peak, conv.share_of_roof, conv.bound) == (0.5, 0.5, "compute")
    # 8,004 bytes at 10 GB/s take 0.8 us; it takes 10.
    assert (add.share_of_roof, add.bound) == (pytest.approx(0.08, abs=1e-3), "memory")
    assert (other.runs, other.gflops, other.latency_us) == (None, None, 5.0)
    assert sum(row.share_of_model for row in found) == pytest.approx(1, abs=1e-3)


def test_a_kernel_without_operations_has_a_roof_too():
    (one,) = rows({"transpose": 1.6})
    assert (one.gflops, one.share_of_peak, one.share_of_roof, one.bound) == (
        None,
        None,
        0.5,
        "memory",
    )


def test_several_processes_give_an_interval():
    conv = rows({"conv": 40.0, "add": 1.0}, {"conv": 42.0, "add": 1.0}, {"conv": 38.0, "add": 1.0})
    assert conv[0].latency_us_low < conv[0].latency_us < conv[0].latency_us_high


def test_a_method_may_have_its_kernels_from_one_process_unless_it_failed_in_another():
    once = PairResult({"untuned": [9.0]}, {}, {}, {"untuned": {"conv": 400.0}})
    later = PairResult({}, {}, {}, {})
    (row,) = kernel_rows(SUBJECT, [once, later], KERNELS, ROOFLINE, sampling=SAMPLING)
    assert (row.method, row.latency_us, row.latency_us_low) == ("untuned", 200.0, None)
    assert (
        kernel_rows(
            SUBJECT, [once, later], KERNELS, ROOFLINE, sampling=SAMPLING, failed={"untuned": "x"}
        )
        == []
    )


def test_bytes_are_those_of_all_arguments():
    assert moved_bytes("1x2x3 4 scalar", "float32") == 4 * (6 + 4 + 1)
    assert moved_bytes("8", "float16") == 16
