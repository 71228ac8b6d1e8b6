"""A model beside the sum of its kernels."""

import numpy as np
import pytest

from conftest import MEASURE
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.kernel_sum import model_and_kernels, one_round
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import HERE

TIMED = {**MEASURE, "cold_weights": True}


def test_every_kernel_of_a_model_is_called_with_what_it_takes_there(
    small_model, kernels, target, tmp_path
):
    library = tmp_path / "model.so"
    compile_model(small_model, target, None, library)
    model = CompiledModel(library, list(small_model.params))
    model.bind([np.zeros((1, 3, 8, 8), np.float32)])
    calls = model.kernel_calls()
    assert sum(map(len, calls.values())) == sum(kernel.weight for kernel in kernels)
    every = [call for found in calls.values() for call in found]
    (call,) = (one for one in every if one.args[0][0] == (1, 3, 8, 8))
    shapes = [shape for shape, _ in call.args]
    assert shapes[call.written[0]] == (1, 8, 8, 8)
    assert {shapes[i] for i in call.weights} >= {(3, 3, 3, 8)}


class _Fake:
    """A model, or a kernel's timer, that always takes as long."""

    def __init__(self, seconds):
        self.seconds = seconds

    def run(self):
        pass

    def timed(self, count):
        return self.seconds

    def samples(self, count):
        return [self.seconds] * count


def test_a_kernel_counts_as_often_as_the_model_runs_it():
    timers = [(2, _Fake(1e-3)), (1, _Fake(3e-3))]
    assert one_round(_Fake(6e-3), 5, timers) == pytest.approx((6.0, 5.0))


def test_a_model_and_its_kernels_are_timed_by_turns(small_onnx, target, tmp_path):
    model = prepare_model(small_onnx, target)
    library = tmp_path / "model.so"
    compile_model(model, target, None, library)
    inputs = [np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)]
    rounds = model_and_kernels(
        library, model.params, inputs, TIMED, place=open_place(HERE), rounds=3
    )
    assert len(rounds) == 3
    assert all(whole > 0 and alone > 0 for whole, alone in rounds)
