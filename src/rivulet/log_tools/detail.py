"""One kernel of a log: its best schedule, readable."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.kernels.naming import full_name
from rivulet.records.naming import load_record, load_workloads, name_workloads
from rivulet.records.stored import StoredLog, find_kernel_table, read_kernel_table
from rivulet.tvm_compat.names import candidate_name, measured_schedule
from rivulet.tvm_compat.traces import decisions


@dataclass(frozen=True)
class DecisionLine:
    """One decision of a schedule.

    Attributes:
        instruction: Position of its instruction in the trace.
        kind: Kind of the instruction, or the limit that it sets.
        value: Tile factors (outermost first), category, compute location or limit.
        statement: The instruction as Python.
    """

    instruction: int
    kind: str
    value: tuple[int, ...]
    statement: str


@dataclass(frozen=True)
class Detail:
    """A kernel's best record.

    Attributes:
        kernel: Task name.
        record: Line number of the record.
        workload: Line number of its workload.
        latency_us: Latency in the record, in microseconds.
        target: Target in the record, as JSON.
        candidate: Structural hash of the scheduled kernel.
        trial: Number of its trial; None when ``trials.csv`` has none.
        found_after_s: Seconds of measuring time until that trial; None likewise.
        samples_us: That trial's samples, in microseconds.
        decisions: Its decisions.
        trace: Its trace as Python statements.
        tir: The scheduled kernel as TVMScript.
    """

    kernel: str
    record: int
    workload: int
    latency_us: float
    target: str
    candidate: str
    trial: int | None
    found_after_s: float | None
    samples_us: list[float]
    decisions: list[DecisionLine]
    trace: list[str]
    tir: str


def kernel_detail(log: StoredLog, kernel: str, table: Path | None = None) -> Detail:
    """The best record of a kernel.

    Args:
        log: The log.
        kernel: Its task name, whole or short.
        table: Table of the kernels; by default the one that the log's record leads to.

    Raises:
        UserError: The log has no such kernel, or no schedule of it.
    """
    table = table or find_kernel_table(log)
    # A log has kernels without a trial too: a droplet's, those that it left as they were.
    known = {trial.kernel for trial in log.trials}
    if table is not None:
        known.update(read_kernel_table(table))
    meant = full_name(kernel, known)
    if meant is None:
        raise UserError(f"{log.folder}: no kernel '{kernel}' in it{_similar(known, kernel)}")
    kernel = meant
    own = [trial for trial in log.trials if trial.kernel == kernel]
    workloads = load_workloads(log)
    names = name_workloads(log, workloads, table)
    found = [records[0] for n, records in log.ranked().items() if names.get(n) == kernel]
    if not found:
        raise UserError(f"{log.folder}: no schedule of '{kernel}' in its database")
    best = min(found, key=lambda record: record.seconds)
    record = load_record(best, workloads[best.workload])
    schedule = measured_schedule(record)
    name = candidate_name(schedule.mod)
    trial = next((t for t in own if t.candidate == name and t.samples), None)
    statements = [str(line) for line in record.trace.as_python()]
    return Detail(
        kernel=kernel,
        record=best.line,
        workload=best.workload,
        latency_us=round(best.seconds * 1e6, 4),
        target=best.target,
        candidate=name,
        trial=trial.trial if trial else None,
        found_after_s=trial.elapsed_s if trial else None,
        samples_us=trial.samples if trial else [],
        decisions=[
            DecisionLine(d.index, d.kind, d.value, _statement(statements, record.trace, d.index))
            for d in decisions(record.trace)
        ],
        trace=statements,
        tir=schedule.mod.script(),
    )


def detail_lines(one: Detail) -> list[str]:
    """The detail for a terminal."""
    samples = ", ".join(f"{s:g}" for s in one.samples_us)
    where = f"trial {one.trial}" if one.trial else "no row in trials.csv"
    lines = [
        one.kernel,
        f"  latency    {one.latency_us:g} us",
        f"  samples    {samples or 'not known'}{' us' if samples else ''} ({where})",
        f"  candidate  {one.candidate} (record on line {one.record}, workload on line "
        f"{one.workload})",
        f"  target     {one.target}",
        "",
        "decisions",
    ]
    for decision in one.decisions:
        value = " x ".join(map(str, decision.value))
        lines.append(
            f"  {decision.instruction:>4}  {decision.kind:<24}  {value:<20}  {decision.statement}"
        )
    lines += ["", "trace", *(f"  {line}" for line in one.trace)]
    return [*lines, "", *one.tir.splitlines()]


def _statement(statements: list[str], trace: Any, index: int) -> str:
    """An instruction as Python, shortened; empty where statements and instructions differ."""
    if len(statements) != len(trace.insts):
        return ""
    text = statements[index]
    return text if len(text) <= 110 else f"{text[:107]}..."


def _similar(known: set[str], kernel: str) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(kernel, names, n=3, cutoff=0.5) or names[:3]
    more = ", ..." if len(names) > len(close) else ""
    return f"; it has {', '.join(close)}{more}" if names else ", nor any other"
