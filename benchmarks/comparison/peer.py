"""Process: TVM's stock tuner, called as its users call it.

Only what has to be equal on both sides, and the repair of an import without which the tuner's
builders never get to work, is given to it; all else is TVM's default.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from comparison.histories import MeasuredTrial
from comparison.prepare import KERNELS, load_module
from rivulet.errors import UserError
from rivulet.measure.statistics import median
from rivulet.tvm_compat import load_tvm

LOG = "log"


def tune(child: Child) -> dict[str, Any]:
    """Tune from nothing and return the trials with their times."""
    threads, spec = child.device.threads, child.spec
    load_tvm(threads)
    from tvm.s_tir import meta_schedule as ms
    from tvm.s_tir.meta_schedule import relax_integration

    from rivulet.hardware.target import resolve_target

    measure = spec["measure"]
    in_each_worker = functools.partial(load_tvm, threads)
    builder = ms.builder.LocalBuilder(
        max_workers=threads, timeout_sec=measure["build_timeout_s"], initializer=in_each_worker
    )
    runner = ms.runner.LocalRunner(
        timeout_sec=measure["run_timeout_s"],
        evaluator_config=ms.runner.EvaluatorConfig(
            number=1,
            repeat=measure["repeats"],
            min_repeat_ms=math.ceil(measure["min_repeat_ms"]),
            enable_cpu_cache_flush=measure["cache_flush"],
        ),
        initializer=in_each_worker,
    )
    found = runner.pool.submit(_threads_here).result()
    if found != threads:
        raise UserError(
            f"the stock tuner's runner has {found} thread(s), not {threads}; the comparison would "
            "be unfair. Check hardware threads in the config against the usable CPUs"
        )
    # tune_relax offers no argument for the threads of the evolution.
    relax_integration.extracted_tasks_to_tune_contexts = functools.partial(
        relax_integration.extracted_tasks_to_tune_contexts, num_threads=threads
    )
    watch = Watch(child.elapsed, child.count, _task_names(child.other("prepared")))
    relax_integration.tune_relax(
        mod=load_module(child.other("prepared")),
        params={},
        target=resolve_target(child.device),
        work_dir=str(_new(child.folder / LOG)),
        max_trials_global=spec["trials"],
        num_trials_per_iter=spec["batch"],
        builder=builder,
        runner=watch.runner(runner),
        cost_model=ms.cost_model.XGBModel(num_tuning_cores=threads, tree_method="auto"),
        measure_callbacks=[
            *ms.measure_callback.MeasureCallback.create("default"),
            watch.callback(),
        ],
        seed=spec["seed"],
    )
    return {"trials": [trial.as_json() for trial in watch.trials], "threads_in_runner": found}


class Watch:
    """Notes when each candidate was measured, and of which kernel it was.

    The runner knows the time but not the kernel; the callback comes much later, when the
    scheduler returns to a kernel, and knows the kernel. The library's path joins the two.

    Args:
        elapsed: Seconds since the process was started.
        count: Told of each candidate.
        task_names: Workload to task name.
    """

    def __init__(
        self, elapsed: Callable[[], float], count: Callable[[], None], task_names: dict[str, str]
    ) -> None:
        self._elapsed, self._count, self._task_names = elapsed, count, task_names
        self._ran_at: dict[str, float] = {}
        self.trials: list[MeasuredTrial] = []

    def runner(self, stock: Any) -> Any:
        """A runner that hands one candidate after the other to ``stock``, as that does itself."""
        from tvm.ir.utils import derived_object
        from tvm.s_tir.meta_schedule.runner import PyRunner

        watch = self

        @derived_object
        class TimedRunner(PyRunner):  # type: ignore[misc]
            def run(self, runner_inputs: list[Any]) -> list[Any]:
                futures: list[Any] = []
                for one in runner_inputs:
                    futures += stock.run([one])
                    watch._ran_at[str(one.artifact_path)] = watch._elapsed()
                    watch._count()
                return futures

        return TimedRunner()

    def callback(self) -> Any:
        """A measure callback that completes `trials`."""
        from tvm.ir.utils import derived_object
        from tvm.s_tir.meta_schedule.measure_callback import PyMeasureCallback

        from rivulet.kernels.extract import workload_hash

        watch = self

        @derived_object
        class Collect(PyMeasureCallback):  # type: ignore[misc]
            def apply(
                self, task_scheduler: Any, task_id: int, measure_candidates: list[Any],
                builder_results: list[Any], runner_results: list[Any],
            ) -> None:  # fmt: skip
                module = task_scheduler.tasks_[task_id].ctx.mod
                kernel = watch._task_names[workload_hash(module)]
                batch = [
                    (watch._ran_at.get(str(built.artifact_path)), ran)
                    for built, ran in zip(builder_results, runner_results, strict=True)
                ]
                # What could not be built was done with when its batch was.
                end = max((at for at, _ in batch if at is not None), default=watch._elapsed())
                for at, ran in batch:
                    failed = ran.error_msg is not None or not ran.run_secs
                    latency = None if failed else median([float(s) for s in ran.run_secs])
                    watch.trials.append(MeasuredTrial(end if at is None else at, kernel, latency))

        return Collect()


def _threads_here() -> int:
    """Threads of TVM's runtime; called in the runner's worker."""
    import tvm

    return int(tvm.get_global_func("runtime.NumThreads")())


def _task_names(prepared: Path) -> dict[str, str]:
    import gzip

    entries = json.loads(gzip.decompress((prepared / KERNELS).read_bytes()))
    return {entry["workload"]: entry["task"] for entry in entries}


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    raise SystemExit(serve(tune, tidy=False))
