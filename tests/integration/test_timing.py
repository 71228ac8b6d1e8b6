"""The arguments that kernels are timed with: what a run may find in the caches, and what not."""

import itertools

import numpy as np
import pytest

from conftest import MEASURE, write_onnx
from rivulet.hardware.cpu import last_level_cache_bytes
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import HERE
from rivulet.measure.bench import Bench
from rivulet.measure.timing import Tensors
from rivulet.tvm_compat.arguments import Call, kernel_call, model_weight_bytes

COLD = {**MEASURE, "cold_weights": True, "min_repeat_ms": 0}
ACTIVATION, WEIGHT, BIAS, OUTPUT = 0, 1, 2, 3


class Recorder:
    """In place of a kernel: notes at which addresses its arguments lie."""

    def __init__(self):
        self.calls = []

    def __getitem__(self, name):
        assert name == "main"
        return self

    def __call__(self, *tensors):
        self.calls.append([np.from_dlpack(tensor).ctypes.data for tensor in tensors])

    def addresses(self, position):
        return [call[position] for call in self.calls]


def arguments(weight_elements):
    return [
        ((1, 256), "float32"), ((weight_elements,), "float32"), ((100,), "float32"),
        ((1, 256), "float32"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def tensors():
    return Tensors(open_place(HERE))


def cold_timer(tensors, recorder, weight_elements):
    return tensors.timer(recorder, Call(arguments(weight_elements), (WEIGHT, BIAS)), COLD)


@pytest.mark.parametrize("weight_elements", [16_384, 300_001, 4_000_000])
def test_no_run_finds_its_weights_in_a_cache(tensors, weight_elements):
    recorder = Recorder()
    timer = cold_timer(tensors, recorder, weight_elements)
    timer.run()
    timer.samples(600)
    size = 4 * weight_elements
    last_use, read = {}, 0
    for address in recorder.addresses(WEIGHT):
        if address in last_use:
            assert read - last_use[address] > 2 * last_level_cache_bytes() - size
        last_use[address] = read
        read += size
    places = sorted(last_use)
    assert all(after - before >= size for before, after in itertools.pairwise(places))


def test_activations_and_outputs_stay_where_they_are(tensors):
    recorder = Recorder()
    cold_timer(tensors, recorder, 300_000).samples(20)
    assert len(set(recorder.addresses(ACTIVATION))) == 1
    assert len(set(recorder.addresses(OUTPUT))) == 1
    assert all(address % 64 == 0 for call in recorder.calls for address in call)


def test_kernels_timed_in_turns_do_not_warm_each_others_weights(tensors):
    size = 4 * 500_000
    recorders = [Recorder(), Recorder()]
    timers = [cold_timer(tensors, recorder, 500_000) for recorder in recorders]
    for _ in range(3):
        for timer, recorder in zip(timers, recorders, strict=True):
            timer.samples(2)
            recent = [a for r in recorders if r is not recorder for a in r.addresses(WEIGHT)[-2:]]
            mine = recorder.addresses(WEIGHT)[-2:]
            assert all(abs(a - b) >= size for a in mine for b in recent)


def test_weights_larger_than_all_caches_need_one_copy(tensors):
    elements = 3 * last_level_cache_bytes() // 4
    recorder = Recorder()
    cold_timer(tensors, recorder, elements).samples(3)
    assert len(set(recorder.addresses(WEIGHT))) == 1


def test_weights_of_a_small_model_return_when_the_model_has_read_the_others():
    small_model_bytes = 2**21
    recorder = Recorder()
    tensors = Tensors(open_place(HERE), small_model_bytes)
    cold_timer(tensors, recorder, 2**17).samples(40)
    copies = len(set(recorder.addresses(WEIGHT)))
    assert copies == small_model_bytes // (4 * 2**17 + 448)


def test_a_models_weights_count_as_often_as_its_kernels_run(convolution):
    call = kernel_call(convolution.module, packed=False)
    once = sum(4 * int(np.prod(call.args[i][0])) for i in call.weights)
    assert once >= 64 * 64 * 3 * 3 * 4
    assert model_weight_bytes([(convolution.module, 3), (convolution.module, 1)]) == 4 * once


def test_weights_are_filled_with_ordinary_numbers(tensors):
    values = []

    class Values(Recorder):
        def __call__(self, *arrays):
            values.append(np.from_dlpack(arrays[WEIGHT]).copy())

    cold_timer(tensors, Values(), 700_000).samples(2)
    assert all(v.min() >= 0 and v.max() < 1 and 0.4 < v.mean() < 0.6 for v in values)


def test_what_a_kernel_has_written_is_no_input_of_the_next_one(tensors):
    """A sum of indices is out of bounds as an index, though both have the same shape and range."""
    args = [((64,), "int64"), ((64,), "int64")]
    writer, reader = Call(args, written=(1,)), Call(args, written=(0,))

    class Writing(Recorder):
        def __call__(self, *arrays):
            np.from_dlpack(arrays[1])[:] = 10**12

    class Reading(Recorder):
        def __call__(self, *arrays):
            assert np.from_dlpack(arrays[1]).max() < 8

    tensors.timer(Writing(), writer, COLD).run()
    tensors.timer(Reading(), reader, COLD).run()


@pytest.fixture(scope="module")
def convolution(tmp_path_factory, target):
    """A convolution with 144 KiB of weights."""
    from rivulet.graph.prepare import prepare_model
    from rivulet.kernels.extract import extract_kernels

    path = write_onnx(tmp_path_factory.mktemp("models") / "wide.onnx", channels=64)
    kernels = extract_kernels(prepare_model(path, target), target)
    return max(kernels, key=lambda kernel: kernel.flops)


def test_a_convolutions_weights_are_known_and_its_activations_are_none(convolution):
    call = kernel_call(convolution.module, packed=False)
    assert "conv2d" in convolution.kind
    assert WEIGHT in call.weights
    assert ACTIVATION not in call.weights
    assert len(call.args) - 1 not in call.weights


def test_cold_kernels_are_timed_as_often_as_asked(convolution, target, tmp_path):
    settings = {**MEASURE, "cold_weights": True}
    with Bench(target, 1, settings, tmp_path) as bench:
        (result,) = bench.measure([convolution.module])
        first, second = bench.measure_interleaved([convolution.module] * 2, 4, seed=1)
    assert result.error == ""
    assert len(result.samples) == MEASURE["repeats"]
    assert len(first.samples) == len(second.samples) == 4
