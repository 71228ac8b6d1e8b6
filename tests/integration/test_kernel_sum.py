"""A model beside the sum of its kernels."""

import numpy as np

from conftest import MEASURE, write_onnx
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.kernel_sum import model_and_kernels
from rivulet.hardware.place import HERE, open_place

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


def test_a_model_takes_about_as_long_as_its_kernels(target, tmp_path):
    from rivulet.graph.prepare import prepare_model

    path = write_onnx(tmp_path / "model.onnx", channels=64, size=32)
    model = prepare_model(path, target)
    library = tmp_path / "model.so"
    compile_model(model, target, None, library)
    inputs = [np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)]
    rounds = model_and_kernels(library, model.params, inputs, TIMED, open_place(HERE), 3)
    assert len(rounds) == 3
    # Two slow kernels without schedules are nearly all of it; an order of magnitude would be a
    # kernel left out or counted twice, whatever else the machine does meanwhile.
    assert all(0.3 < whole / alone < 3 for whole, alone in rounds)
