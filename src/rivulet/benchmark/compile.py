"""Build a whole model, each kernel with its best schedule of a log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rivulet.hardware.place import HERE, Place, open_place
from rivulet.measure.linking import export_library
from rivulet.models.prepare import PreparedModel
from rivulet.records import TuningLog
from rivulet.tvm_compat import load_tvm


def compile_model(
    model: PreparedModel, target: Any, log: TuningLog | None, path: Path, linker: str = ""
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
        executable = tvm.compile(module, target)
    export_library(executable, path, linker)


def _ignore(*_: Any) -> int:
    return 0


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
        if not self._place.is_host_cpu:
            params = [self._place.tensor(param.numpy()) for param in params]
        self._params = list(self._machine["main_transform_params"](params))

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        tensors = [self._place.tensor(array) for array in inputs]
        self._machine.set_input("main", *tensors, *self._params)

    def run(self) -> None:
        """One inference."""
        self._machine.invoke_stateful("main")
        self._place.sync()

    def function_times(self) -> dict[str, float]:
        """Microseconds that each function takes within one inference, by its name."""
        times: dict[str, float] = {}
        begin = 0.0

        def instrument(_: Any, name: Any, before: bool, *__: Any) -> int:
            nonlocal begin
            self._place.sync()
            now = time.perf_counter()
            if before:
                begin = now
            else:
                times[str(name)] = times.get(str(name), 0.0) + (now - begin) * 1e6
            return 0  # go on as usual

        self._machine.set_instrument(instrument)
        try:
            self.run()
        finally:
            self._machine.set_instrument(_ignore)
        return times

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        result = self._machine.get_outputs("main")
        if hasattr(result, "numpy"):
            return [result.numpy()]
        return [item.numpy() for item in result]
