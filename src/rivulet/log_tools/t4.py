"""Measurements in the T4 results format, which Kernel Tuner and other autotuners' tools read.

The format is that of Hellsten et al. and Willemsen et al., "A Methodology for Comparing
Auto-Tuning Optimization Algorithms" (Future Generation Computer Systems 159, 2024); its JSON schema
comes with Kernel Tuner (``kernel_tuner/schema/T4/1.0.0``). Times are in milliseconds, as there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from rivulet.records.stored import StoredLog
from rivulet.records.trials import Trial

VERSION = "1.0.0"
_OBJECTIVE = "time"


def t4_results(
    logs: Iterable[StoredLog],
    with_decisions: bool,
    report: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """All measurements of some logs as a T4 document.

    Args:
        logs: The logs.
        with_decisions: Put the decisions of each schedule that a database has into its
            configuration. Its trace has to be applied for that, which takes some milliseconds.
        report: Called for each schedule that was looked at.

    Returns:
        The document, JSON-ready.
    """
    results = []
    for log in logs:
        taken = _decisions(log, report) if with_decisions else {}
        subject = {"model": log.origin.model, "hardware": log.origin.hardware}
        known = {key: value for key, value in subject.items() if value}
        for trial in log.trials:
            results.append(_result(trial, known, taken.get(trial.candidate, {})))
    return {"schema_version": VERSION, "results": results}


def _result(trial: Trial, subject: dict[str, str], decisions: dict[str, Any]) -> dict[str, Any]:
    samples = [round(sample * 1e-3, 7) for sample in trial.samples]
    configuration = {
        **subject,
        "kernel": trial.kernel,
        "candidate": trial.candidate,
        "strategy": trial.strategy,
        **decisions,
    }
    measurements = [{"name": "elapsed", "value": trial.elapsed_s, "unit": "s"}]
    if samples:
        objective = {"name": _OBJECTIVE, "value": round(trial.median_us * 1e-3, 7), "unit": "ms"}
        measurements.insert(0, objective)
    return {
        "configuration": configuration,
        "objectives": [_OBJECTIVE],
        "times": {
            "compilation_time": round(trial.build_s * 1e3, 3),
            "runtimes": samples,
            "framework": round(max(0.0, trial.run_s * 1e3 - sum(samples)), 3),
            "search_algorithm": round(trial.propose_s * 1e3, 3),
            "validation": 0.0,
        },
        "invalidity": invalidity(trial.error),
        "correctness": 0 if trial.error else 1,
        "measurements": measurements,
    }


def invalidity(error: str) -> str:
    """The format's word for the reason of a failed trial.

    Args:
        error: As ``trials.csv`` has it: empty, or ``build`` or ``run``, then what happened.
    """
    if not error:
        return "correct"
    if "timeout" in error.split(":")[0]:
        return "timeout"
    if error.startswith("build"):
        return "compile"
    return "correctness" if "output" in error and not error.startswith("run") else "runtime"


def _decisions(log: StoredLog, report: Callable[[], None]) -> dict[str, dict[str, Any]]:
    """Structural hash of each schedule in the database to its decisions."""
    from rivulet.tvm_compat import load_tvm
    from rivulet.tvm_compat.names import candidate_name, measured_schedule
    from rivulet.tvm_compat.traces import decisions

    load_tvm()
    from tvm.s_tir.meta_schedule.database import TuningRecord, Workload

    workloads = {n: Workload.from_json(json.loads(line)) for n, line in log.workloads.items()}
    found = {}
    for stored in log.records:
        record = TuningRecord.from_json(stored.body, workloads[stored.workload])
        name = candidate_name(measured_schedule(record).mod)
        found[name] = {f"{d.index}:{d.kind}": list(d.value) for d in decisions(record.trace)}
        report()
    return found
