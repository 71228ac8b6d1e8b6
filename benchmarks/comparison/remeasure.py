"""Process: measure both sides' best schedules again, in turns, and the kernels without any.

The fastest of many noisy samples looks faster than it is, and more so the noisier they were, so
what the two logs say of their winners cannot be compared.
"""

from __future__ import annotations

from typing import Any

from comparison.child import Child, serve
from comparison.ours import LOG
from comparison.prepare import KERNELS
from rivulet.errors import UserError
from rivulet.kernels import Kernel, load_kernels
from rivulet.measure.bench import Bench
from rivulet.records.schedules import Schedules
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned

_UNTUNED_TIMEOUT = 120.0


def remeasure(child: Child) -> dict[str, Any]:
    """Samples of both winners of every kernel, and the latency of its default loops."""
    from rivulet.hardware.target import resolve_target

    spec = child.spec
    target = resolve_target(child.device)
    kernels = load_kernels(child.other("prepared") / KERNELS)
    logs = {
        side: open_thinned(
            read_log(child.other(side) / LOG), child.scratch / side, logger=child.logger
        )
        for side in ("ours", "peer")
    }
    patient = {**spec["measure"], "run_timeout_s": _UNTUNED_TIMEOUT}
    rows = []
    with Bench(target, child.device.threads, patient, child.scratch) as bench:
        for kernel in kernels:
            rows.append(_measure(kernel, logs, bench, spec))
            child.count()
    return {"kernels": rows}


def _measure(
    kernel: Kernel, logs: dict[str, Schedules], bench: Bench, spec: dict[str, Any]
) -> dict[str, Any]:
    untuned = bench.measure([kernel.module])[0]
    if untuned.error:
        raise UserError(f"{kernel.task} does not run without a schedule: {untuned.error}")
    chosen: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for side, log in logs.items():
        chosen[side], reasons[side] = _winner(kernel, log, bench)
    results = bench.measure_interleaved(list(chosen.values()), spec["rounds"], spec["seed"])
    for side, result in zip(chosen, results, strict=True):
        if result.error:
            raise UserError(f"{kernel.task}, {side}: it ran alone but not in turns: {result.error}")
    samples = {side: result.samples for side, result in zip(chosen, results, strict=True)}
    return {
        "kernel": kernel.task,
        "weight": kernel.weight,
        "untuned": untuned.latency,
        "samples": samples,
        "default_loops": {side: reason for side, reason in reasons.items() if reason},
    }


def _winner(kernel: Kernel, log: Schedules, bench: Bench) -> tuple[Any, str]:
    """The log's best schedule of a kernel; the default loops, and why, where it has none."""
    records = log.best_records(kernel, 1)
    if not records:
        return kernel.module, "no valid schedule was found"
    module = records[0].as_measure_candidate().sch.mod
    alone = bench.measure([module])[0]
    if alone.error:
        return kernel.module, f"the best schedule of the log does not run again: {alone.error}"
    return module, ""


if __name__ == "__main__":
    raise SystemExit(serve(remeasure))
