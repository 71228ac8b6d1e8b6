"""Run schedules of a log and compare what they put out with the unscheduled kernels."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.place import CPU, HERE, Location
from rivulet.measure.bench import Bench
from rivulet.measure.protocol import Comparison, WorkerFailure
from rivulet.records.naming import load_record, load_workloads, name_workloads
from rivulet.records.stored import StoredLog, StoredRecord
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.names import measured_schedule
from rivulet.tvm_compat.targets import CUDA, is_gpu

_AT_ONCE = 4
_LIMITS = {
    "run_timeout_s": 10.0,
    "build_timeout_s": 60.0,
    "build_workers": 1,
    "worker_max_uses": 500,
    "worker_memory_gib": 4.0,
}


@dataclass(frozen=True)
class Validated:
    """What became of one schedule.

    Attributes:
        record: Line number of the record.
        kernel: Task name; the workload's line where neither the model's table of kernels nor
            ``trials.csv`` tells.
        error: Largest relative difference of its outputs; None when it did not run.
        problem: Empty, or why it is not valid.
    """

    record: int
    kernel: str
    error: float | None
    problem: str


def sample_records(log: StoredLog, count: int, seed: int) -> list[StoredRecord]:
    """Records to look at: the best of each workload first, then any others, in seeded order."""
    generator = random.Random(seed)
    ranked = sorted(log.records, key=lambda record: (record.seconds, record.line))
    valid = [record for record in ranked if record.seconds < float("inf")]
    first: dict[int, StoredRecord] = {}
    for record in valid:
        first.setdefault(record.workload, record)
    best = list(first.values())
    chosen = {record.line for record in best}
    others = [record for record in valid if record.line not in chosen]
    generator.shuffle(best)
    generator.shuffle(others)
    return [*best, *others][:count]


def validate_records(
    log: StoredLog,
    records: list[StoredRecord],
    threads: int | None,
    tolerance: float,
    *,
    seed: int,
    scratch: Path,
    report: Callable[[Validated], None] = lambda one: None,
    location: Location = HERE,
    table: Path | None = None,
) -> list[Validated]:
    """Build and run records and the unscheduled kernels, and compare their outputs.

    Args:
        log: The log.
        records: Records of it.
        threads: Threads that kernels run on; None for as many as the log was made with, or all.
        tolerance: Largest difference to accept, relative to the output's largest magnitude.
        seed: Seed of the random inputs.
        scratch: Folder for compiled kernels.
        report: Told each result.
        location: Where kernels run.
        table: Table of the model's kernels; by default the one that the log's record leads to.

    Raises:
        UserError: A record names no target, or one of a device that is not at the location.
    """
    tvm = load_tvm()
    if not records:
        return []
    unknown = next((r.line for r in records if not r.target), None)
    if unknown is not None:
        raise UserError(f"{log.folder}: the record on line {unknown} names no target to build for")
    device: dict[str, Any] = json.loads(log.origin.settings.get("device", "{}"))
    if location.is_here and device.get("runner", "local") != "local":
        raise UserError(
            f"{log.folder}: its schedules are for the device '{device.get('name')}' over RPC, and "
            "would not run on this machine; the workflow's benchmarks check them there"
        )
    target = tvm.target.Target(json.loads(records[0].target))
    if location.is_here:
        location = replace(location, kind=CUDA if is_gpu(target) else CPU)
    wanted = {record.workload for record in records}
    workloads = {n: one for n, one in load_workloads(log).items() if n in wanted}
    names = name_workloads(log, workloads, table)
    limits = {**_LIMITS, **log.origin.settings.get("measure", {})}
    results: list[Validated] = []
    with Bench(target, threads or _threads(log), limits, scratch, location=location) as bench:
        for begin in range(0, len(records), _AT_ONCE):
            share = records[begin : begin + _AT_ONCE]
            modules = [measured_schedule(load_record(r, workloads[r.workload])).mod for r in share]
            references = [workloads[record.workload].mod for record in share]
            seen = bench.compare(modules, references, seed)
            for record, one in zip(share, seen, strict=True):
                kernel = names.get(record.workload, f"workload {record.workload}")
                results.append(_judged(record.line, kernel, one, tolerance))
                report(results[-1])
    return results


def _judged(
    line: int, kernel: str, seen: Comparison | WorkerFailure, tolerance: float
) -> Validated:
    if isinstance(seen, WorkerFailure):
        return Validated(line, kernel, None, f"does not run: {seen}")
    wrong = "its output differs from the unscheduled kernel's" if seen.error > tolerance else ""
    return Validated(line, kernel, seen.error, wrong)


def _threads(log: StoredLog) -> int:
    """Threads that the log was made with, or all usable ones where that is not known."""
    device: dict[str, Any] = json.loads(log.origin.settings.get("device", "{}"))
    asked = device.get("threads")
    return min(asked, usable_cpus()) if isinstance(asked, int) else usable_cpus()
