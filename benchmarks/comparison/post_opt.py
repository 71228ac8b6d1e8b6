"""Process: TVM's own droplet for MetaSchedule, run on a copy of a log as its users run it.

What ``PostOpt.run`` does for a layer is done here with the parts that it is made of, layer by
layer: where one raises, the walk goes on with the next instead of ending. Its workers get the
repair of an import without which none of them finishes a build within PostOpt's time limit; all
else, its timer included, is TVM's default.

PostOpt tries a quarter of its candidates, drawn at random, without the postprocessing of their
schedules. The drawing is seeded here, so a run repeats as far as the noise of its timer allows.
It also drops the instructions that transform a layout, so its records do not pack the weights.
"""

from __future__ import annotations

import functools
import json
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.records.files import FILES, RECORDS, WORKLOADS
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.names import candidate_name

LOG = "log"
WINNERS = "winners"
# In seconds; PostOpt's stand-ins for the latency of a candidate that it could not time are no less.
_NO_LATENCY = 1e4


@dataclass
class Layer:
    """A workload of the log, and what PostOpt says of it.

    Attributes:
        task: Name of the kernel; its hash where the model has no such kernel.
        workload: Hash of the kernel.
        start: The log's best record: a line of its file, the number of the workload first.
        before_us: Latency of that record, as PostOpt reads it.
        found: PostOpt's best record; None where it did not come to an end.
        after_us: Latency of that one; both are its own figures.
        trials: Candidates that it tried, the starting record's own among them.
        ran: Those of them that it could time.
        seconds: How long it took.
        reason: Why its record is not the layer's winner; empty when it is.
    """

    task: str
    workload: str
    start: list[Any]
    before_us: float
    found: list[Any] | None = None
    after_us: float | None = None
    trials: int = 0
    ran: int = 0
    seconds: float = 0.0
    reason: str = ""


def post_optimize(child: Child) -> dict[str, Any]:
    """Refine a log and return what PostOpt found, its winners in a log of their own.

    The specification has ``trials`` for the whole model, of which every workload gets the same,
    whole number, as PostOpt has it; or ``per_kernel``, which names the trials of each task. Of n
    trials PostOpt tries n - 1 candidates at most: it counts from one.
    """
    threads, spec = child.device.threads, child.spec
    load_tvm(threads)
    from rivulet.hardware.target import resolve_target

    target = resolve_target(child.device)
    _repair_workers(threads)
    log = child.folder / LOG
    log.mkdir()
    for name in FILES:
        if (Path(spec["source"]) / name).exists():
            shutil.copyfile(Path(spec["source"]) / name, log / name)
    kernels = load_kernels(Path(spec["workloads"]))
    tasks = {kernel.workload: kernel.task for kernel in kernels}
    random.seed(spec["seed"])
    layers = walk(log, target, tasks, spec["trials"], spec.get("per_kernel"), child.count)
    seconds = child.elapsed()
    with Bench(target, threads, spec["measure"], child.scratch) as bench:
        moved = keep_winners(layers, log, child.folder / WINNERS, bench)
    return {
        "kernels": [
            {
                "task": layer.task,
                "workload": layer.workload,
                "trials": layer.trials,
                "ran": layer.ran,
                "seconds": layer.seconds,
                "claimed_before_us": layer.before_us,
                "claimed_after_us": layer.after_us,
                "moved": has_moved,
                "reason": layer.reason,
            }
            for layer, has_moved in zip(layers, moved, strict=True)
        ],
        "seconds": seconds,
        "trials": sum(layer.trials for layer in layers),
    }


def walk(
    log: Path,
    target: Any,
    tasks: Mapping[str, str],
    trials: int,
    per_kernel: Mapping[str, int] | None,
    count: Callable[[int], None],
) -> list[Layer]:
    """Do for every workload of a log what ``PostOpt.run`` does, its best added to the log.

    Args:
        log: The log's folder.
        target: TVM target.
        tasks: Workload to task name.
        trials: Budget of all workloads together.
        per_kernel: Budget of each task instead; a task that is not in it gets nothing.
        count: Told how many candidates were tried, batch by batch.
    """
    import numpy as np
    from tvm.s_tir.meta_schedule.database import Workload
    from tvm.s_tir.meta_schedule.post_optimization.utils import read_cfg_file

    from rivulet.kernels.extract import workload_hash

    layers = []
    best = read_cfg_file(str(log / RECORDS), str(log / WORKLOADS))
    print("id | time MS (s) | time DPMS (s) | speedup", flush=True)
    for index, (times, record, workload) in enumerate(best.values()):
        name = workload_hash(Workload.from_json(workload).mod)
        layer = Layer(tasks.get(name, name), name, record, float(np.mean(times)) * 1e6)
        layers.append(layer)
        budget = trials // len(best) if per_kernel is None else per_kernel.get(layer.task, 0)
        if not budget:
            layer.reason = "it got no trials"
            continue
        started = time.monotonic()
        try:
            _refine(layer, workload, target, budget, log, index, count)
        except Exception as error:
            layer.reason = f"it raised {_told(error)}"
            print(f"{index:2d} | {layer.reason}", flush=True)
        layer.seconds = time.monotonic() - started
    return layers


def _refine(
    layer: Layer, workload: Any, target: Any, budget: int, log: Path, index: int,
    count: Callable[[int], None],
) -> None:  # fmt: skip
    """The body of the loop of ``PostOpt.run``, and the candidates counted."""
    import numpy as np
    from tvm.s_tir.meta_schedule.post_optimization.droplet import Droplet
    from tvm.s_tir.meta_schedule.post_optimization.utils import clean_file, get_time, write_file

    temporary = str(log / f"opt_{index}.log")
    droplet = Droplet(layer.start, workload, target, temporary)
    run = droplet.space.run

    def counted(candidates: list[Any], *args: Any) -> Any:
        layer.trials += len(candidates)
        results = run(candidates, *args)
        layer.ran += sum(bool(np.mean(result) < _NO_LATENCY) for result in results)
        count(len(candidates))
        return results

    droplet.space.run = counted
    droplet.tune(budget)
    times, found = get_time(temporary)
    write_file([found], str(log / RECORDS), mode="a")
    layer.found, layer.after_us = found, float(np.mean(times)) * 1e6
    before, after = layer.before_us * 1e-6, layer.after_us * 1e-6
    print(f"{index:2d} | {before:.10f} | {after:.10f} | {before / after:.2f}", flush=True)
    clean_file(temporary)


def keep_winners(layers: list[Layer], log: Path, folder: Path, bench: Any) -> list[bool]:
    """Write one record of every workload to a log of their own, so that none outranks another.

    It is PostOpt's where that claims to be faster than the log's best, is other code, and runs
    again by itself as it is recorded; the log's best otherwise, and the layer then says why. The
    two latencies are those of different timers, so a log with both would rank them wrongly.

    Args:
        layers: What PostOpt found.
        log: The log, whose workloads the records name by number.
        folder: Folder to write to.
        bench: Measuring bench.

    Returns:
        Which layers have PostOpt's record.
    """
    folder.mkdir()
    shutil.copyfile(log / WORKLOADS, folder / WORKLOADS)
    workloads = (log / WORKLOADS).read_text().splitlines()
    lines, moved = [], []
    for layer in layers:
        if not layer.reason:
            layer.reason = _why_not(layer, json.loads(workloads[layer.start[0]]), bench)
        moved.append(not layer.reason)
        lines.append(json.dumps(layer.start if layer.reason else layer.found) + "\n")
    (folder / RECORDS).write_text("".join(lines))
    return moved


def _why_not(layer: Layer, workload: Any, bench: Any) -> str:
    """Why PostOpt's record is not the layer's winner; empty when it is."""
    from tvm.s_tir.meta_schedule.database import TuningRecord, Workload

    if layer.found is None or layer.after_us is None or layer.after_us >= layer.before_us:
        return "it found nothing faster"
    try:
        start, found = (
            TuningRecord.from_json(line[1], Workload.from_json(workload))
            .as_measure_candidate()
            .sch.mod
            for line in (layer.start, layer.found)
        )
    except Exception as error:
        return f"its record cannot be replayed: {_told(error)}"
    if candidate_name(start) == candidate_name(found):
        return "its best is the code of the log's best, timed again"
    failure = bench.measure([found])[0].error
    return f"its record does not run again: {failure}" if failure else ""


def _told(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _repair_workers(threads: int) -> None:
    """Let the builders and runners that PostOpt makes for itself import TVM in time."""
    from tvm.s_tir import meta_schedule as ms

    in_each_worker = functools.partial(load_tvm, threads)
    for module, name in ((ms.builder, "LocalBuilder"), (ms.runner, "LocalRunner")):
        setattr(module, name, functools.partial(getattr(module, name), initializer=in_each_worker))


if __name__ == "__main__":
    raise SystemExit(serve(post_optimize, tidy=False))
