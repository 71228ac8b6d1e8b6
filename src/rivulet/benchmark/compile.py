"""Build a whole model, each kernel with its best schedule of a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.graph.prepare import PreparedModel
from rivulet.hardware.memory import in_one_block
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import HERE, Place
from rivulet.measure.linking import export_library
from rivulet.records.schedules import Schedules
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import Call
from rivulet.tvm_compat.intervals import Interval
from rivulet.tvm_compat.value_ranges import plain_range
from rivulet.tvm_compat.weights import (
    FLAT_TRANSFORM,
    TRANSFORM,
    kernel_name,
    with_flat_transform,
)

_BUILTIN = "vm."  # functions of the virtual machine's own, such as those that allocate tensors
_GO_ON, _SKIP_RUN = 0, 1  # what the virtual machine's instrument may answer before a call


def compile_model(
    model: PreparedModel, target: Any, log: Schedules | None, path: Path, *, linker: str = ""
) -> None:
    """Write the compiled model as a shared library.

    Kernels without a record keep their default, unscheduled loops. Packing the weights into the
    layouts that the schedules chose becomes a function of its own, which runs once.

    Args:
        model: The prepared model.
        target: TVM target.
        log: Schedules to apply; None for none.
        path: Library to write.
        linker: As for `link_shared`.
    """
    tvm = load_tvm()
    from tvm import relax

    passes = relax.transform
    module = model.module
    with target, tvm.transform.PassContext(opt_level=3):
        if log is not None:
            with log.database:
                module = passes.MetaScheduleApplyDatabase()(module)
        module = tvm.transform.Sequential(
            [
                passes.SplitLayoutRewritePreproc(),
                passes.LiftTransformParams(),
                passes.FoldConstant(),
            ]
        )(module)
        executable = tvm.compile(with_flat_transform(module), target)
    export_library(executable, path, linker)


def _seen_range(tensor: Any, dtype: str) -> Interval:
    """Of whole numbers the range that an argument has, for it may be indices."""
    values = np.from_dlpack(tensor) if "int" in dtype else np.empty(0)
    if values.size == 0:
        return plain_range(dtype)
    return Interval(float(values.min()), float(values.max()))


def _address(tensor: Any) -> int:
    return int(np.from_dlpack(tensor).ctypes.data)


class CompiledModel:
    """A compiled model, loaded, with its weights packed.

    Args:
        path: Library that `compile_model` wrote.
        params: The prepared model's weights, as tensors of this machine.
        place: Where it runs; this machine's CPU by default.
    """

    def __init__(self, path: Path, params: list[Any], place: Place | None = None) -> None:
        load_tvm()
        from tvm import relax

        self._place = place or open_place(HERE)
        self._machine = relax.VirtualMachine(self._place.load(path), self._place.device)
        self._params = self._packed(params)

    def _packed(self, params: list[Any]) -> list[Any]:
        if self._place.is_host_cpu:
            packed = [np.from_dlpack(tensor) for tensor in self._machine[TRANSFORM](params)]
            return [load_tvm().runtime.from_dlpack(array) for array in in_one_block(packed)]
        there = [self._place.tensor(param.numpy()) for param in params]
        self._machine.set_input(FLAT_TRANSFORM, *there)
        self._machine.invoke_stateful(FLAT_TRANSFORM)
        return list(self._machine.get_outputs(FLAT_TRANSFORM))

    def packed_weights(self) -> list[Any]:
        """The weights as the schedules take them, as arrays."""
        return [param.numpy() for param in self._params]

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        tensors = [self._place.tensor(array) for array in inputs]
        self._machine.set_input("main", *tensors, *self._params)

    def run(self) -> None:
        """One inference."""
        self._machine.invoke_stateful("main")
        self._place.sync()

    def timed(self, count: int) -> float:
        """Seconds of one of ``count`` inferences in a row, by a clock where it runs."""
        if self._place.is_host_cpu:
            begin = time.perf_counter()
            for _ in range(count):
                self.run()
            return (time.perf_counter() - begin) / count
        timer = self._machine.time_evaluator(
            "invoke_stateful", self._place.device, number=count, repeat=1
        )
        return float(timer("main").mean)

    def function_times(self) -> dict[str, float]:
        """Microseconds that each function takes within one inference, by its name.

        Nothing on a device elsewhere, which does not call back for each function.
        """
        return {name: sum(calls) for name, calls in self.call_times().items()}

    def call_times(self, most_seconds: float = math.inf) -> dict[str, list[float]]:
        """Microseconds of each call of each function within one inference; see `function_times`.

        A kernel goes by its own name, whether its weights are packed or not.

        Args:
            most_seconds: When so much time has passed, kernels that have not begun yet are left
                out. The outputs are worth nothing then.
        """
        if not self._place.location.is_here:
            return {}
        times: dict[str, list[float]] = {}
        started, begin = time.perf_counter(), 0.0

        def instrument(_: Any, name: Any, before: bool, *__: Any) -> int:
            nonlocal begin
            self._place.sync()
            now = time.perf_counter()
            if before:
                begin = now
                builtin = str(name).startswith(_BUILTIN)
                return _SKIP_RUN if not builtin and now - started > most_seconds else _GO_ON
            kernel = kernel_name(str(name))
            times.setdefault(kernel, []).append((now - begin) * 1e6)
            return _GO_ON

        self._run_watched(instrument)
        return times

    def kernel_calls(self) -> dict[str, list[Call]]:
        """The calls that one inference makes of each kernel of the library, by its name there.

        A kernel takes its weights as its schedule has packed them.
        """
        packed = {_address(param) for param in self._params}
        calls: dict[str, list[Call]] = {}

        def instrument(_: Any, name: Any, before: bool, __: Any, *args: Any) -> int:
            if before and not str(name).startswith(_BUILTIN):
                tensors = [one for one in args if hasattr(one, "shape")]
                infos = [(tuple(int(n) for n in one.shape), str(one.dtype)) for one in tensors]
                weights = [i for i, one in enumerate(tensors) if _address(one) in packed]
                ranges = tuple(
                    _seen_range(one, kind) for one, (_, kind) in zip(tensors, infos, strict=True)
                )
                calls.setdefault(str(name), []).append(
                    Call(infos, tuple(weights), ranges, written=(len(infos) - 1,))
                )
            return _GO_ON

        self._run_watched(instrument)
        return calls

    def _run_watched(self, instrument: Callable[..., int]) -> None:
        """One inference with a function called before and after each call of a kernel."""
        self._machine.set_instrument(instrument)
        try:
            self.run()
        finally:
            # None at all: one that does nothing costs each later inference a call per kernel.
            self._machine.set_instrument(None)

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        result = self._machine.get_outputs("main")
        if hasattr(result, "numpy"):
            return [result.numpy()]
        return [item.numpy() for item in result]
