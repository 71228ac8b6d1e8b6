"""Transfer-tuning of one source -> target pair.

After Gibson and Cano, "Transfer-Tuning: Reusing Auto-Schedules for Efficient Tensor Program
Code Generation" (PACT 2022): a schedule found for a kernel is tried on kernels of its class.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.classes import anchor_operation
from rivulet.measure.protocol import Measurement, MeasuringBench, WorkerFailure
from rivulet.measure.statistics import significantly_faster
from rivulet.records import Trial, TuningLog
from rivulet.records.trials import samples_text
from rivulet.transfer.candidates import (
    DEFAULT,
    adapt_schedule,
    source_schedules,
)
from rivulet.transfer.table import CandidateRow
from rivulet.tvm_compat.arguments import argument_infos
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import Postprocessing, ReplayFailure

STRATEGY = "transfer"
_KERNELS_AT_ONCE = 6  # built side by side; more keeps builders busy, fewer records sooner
_CLEARLY = 1.5  # no repeated measurement where the slower one is this many times slower


@dataclass(frozen=True)
class TransferSettings:
    """The config's ``transfer`` settings."""

    seed: int
    candidates_per_kernel: int
    records_per_source_kernel: int
    significance: float
    confirm_repeats: int
    tolerance: float


@dataclass
class _Tried:
    """A candidate on its way through measuring and checking."""

    row: CandidateRow
    schedule: Any
    result: Measurement = field(default_factory=lambda: Measurement(()))


@dataclass
class _Case:
    """A target kernel, the transferred candidates for it, and its default schedule."""

    kernel: Kernel
    default: _Tried
    tried: list[_Tried] = field(default_factory=list)
    rows: list[CandidateRow] = field(default_factory=list)


def transfer_schedules(
    kernels: list[Kernel],
    sources: list[Kernel],
    target: Any,
    settings: TransferSettings,
    source: TuningLog,
    log: TuningLog,
    bench: MeasuringBench,
    report: Callable[[int, str], None],
    logger: logging.Logger,
) -> list[CandidateRow]:
    """Try the source's schedules on the target's kernels and record what wins.

    The default schedule is one of each kernel's candidates: a kernel takes a transferred one
    only where it is significantly faster and its output is right.

    Args:
        kernels: The target model's kernels.
        sources: The source model's kernels.
        target: TVM target.
        settings: Limits and acceptance.
        source: The source's log.
        log: Empty log for the target: every measured candidate, and the chosen schedules.
        bench: Measures candidates.
        report: Told the kernels done and a line on how it stands.
        logger: Told of failures.

    Returns:
        One row per candidate, and one per kernel that has none.
    """
    rows: list[CandidateRow] = []
    started = time.monotonic()
    for begin in range(0, len(kernels), _KERNELS_AT_ONCE):
        share = kernels[begin : begin + _KERNELS_AT_ONCE]
        cases = [_case(kernel, sources, target, settings, source, logger) for kernel in share]
        _measure(cases, bench)
        for case, chosen in zip(cases, _choose(cases, settings, bench, logger), strict=True):
            if chosen is not case.default:
                schedule, latency = chosen.schedule, chosen.result.latency
                arguments = argument_infos(schedule.mod)
                log.commit(case.kernel, schedule.trace, latency, target, arguments)
            _record(case, chosen, log, time.monotonic() - started, begin // _KERNELS_AT_ONCE + 1)
            rows += [*case.rows, case.default.row]
        last = cases[-1]
        done = min(begin + _KERNELS_AT_ONCE, len(kernels))
        report(done, f"{last.kernel.task}: {len(last.tried)} candidate(s) tried")
    return rows


def _case(
    kernel: Kernel,
    sources: list[Kernel],
    target: Any,
    settings: TransferSettings,
    source: TuningLog,
    logger: logging.Logger,
) -> _Case:
    """Collect a kernel's distinct, replayable candidates."""
    from tvm.s_tir import Schedule

    default = _Tried(_row(kernel, kind=DEFAULT), Schedule(kernel.module))
    case = _Case(kernel, default)
    postprocessing = Postprocessing(kernel.module, target)
    found = source_schedules(
        kernel,
        sources,
        source,
        settings.records_per_source_kernel,
        settings.candidates_per_kernel,
    )
    names: set[str] = set()
    for one in found:
        row = _row(kernel, kind=one.kind, source_kernel=one.kernel.task)
        case.rows.append(row)
        try:
            schedule = adapt_schedule(kernel, one, postprocessing)
        except ReplayFailure as failure:
            row.reason = str(failure)
            logger.info("%s from %s: %s", kernel.task, one.kernel.task, failure)
            continue
        row.candidate = candidate_name(schedule.mod)
        if row.candidate in names:
            row.reason = "the same code as another candidate"
            continue
        names.add(row.candidate)
        case.tried.append(_Tried(row, schedule))
    if not found:
        case.rows.append(_row(kernel, reason=_why_none(kernel, sources)))
    return case


def _why_none(kernel: Kernel, sources: list[Kernel]) -> str:
    anchor = anchor_operation(kernel.kind)
    related = [s for s in sources if s.kind == kernel.kind]
    related += [s for s in sources if anchor and anchor_operation(s.kind) == anchor]
    if related:
        return "the source's log has no schedule for its kernels of this class"
    return f"the source model has no kernel of class {kernel.kind}"


def _measure(cases: list[_Case], bench: MeasuringBench) -> None:
    """Time all candidates, each kernel's default last, so that it is cut short if it is slow."""
    entries = [(i, one) for i, case in enumerate(cases) for one in (*case.tried, case.default)]
    results = bench.measure(
        [one.schedule.mod for _, one in entries], groups=[group for group, _ in entries]
    )
    for (_, one), result in zip(entries, results, strict=True):
        one.result = result
        one.row.samples_us = samples_text(result.samples)
        one.row.reason = result.error
        if result.samples:
            one.row.valid = "yes"
            one.row.median_us = f"{result.latency * 1e6:.4f}"


def _check(
    pairs: list[tuple[_Case, _Tried]],
    settings: TransferSettings,
    bench: MeasuringBench,
    log: logging.Logger,
) -> None:
    """Compare candidates' outputs with those of their kernels' default schedules."""
    errors = bench.compare(
        [one.schedule.mod for _, one in pairs],
        [case.default.schedule.mod for case, _ in pairs],
        settings.seed,
    )
    for (case, one), error in zip(pairs, errors, strict=True):
        if isinstance(error, WorkerFailure):
            one.row.correct, one.row.reason = "no", f"the output check failed: {error}"
        else:
            one.row.correct = "yes" if error <= settings.tolerance else "no"
            one.row.max_rel_error = f"{error:.2e}"
            if one.row.correct == "no":
                one.row.reason = "the output differs from the default schedule's"
        if one.row.reason:
            log.warning("%s: %s %s", case.kernel.task, one.row.reason, one.row.max_rel_error)


def _choose(
    cases: list[_Case], settings: TransferSettings, bench: MeasuringBench, logger: logging.Logger
) -> list[_Tried]:
    """For each kernel the fastest candidate whose output is right, or else the default.

    The default stays unless that candidate is significantly faster.
    """
    ranked = [
        [t for t in sorted(case.tried, key=lambda t: t.result.latency) if t.result.samples]
        for case in cases
    ]
    undecided = list(range(len(cases)))
    # Nearly always the fastest is right, so the fastest of all kernels are checked together.
    for place in range(max(map(len, ranked), default=0)):
        undecided = [i for i in undecided if place < len(ranked[i])]
        _check([(cases[i], ranked[i][place]) for i in undecided], settings, bench, logger)
        undecided = [i for i in undecided if ranked[i][place].row.correct != "yes"]
        if not undecided:
            break
    chosen = []
    for case, candidates in zip(cases, ranked, strict=True):
        right = next((t for t in candidates if t.row.correct == "yes"), None)
        best = case.default
        if right is not None and _faster(right, case.default, settings, bench):
            best = right
        best.row.chosen = "yes"
        chosen.append(best)
    return chosen


def _faster(
    one: _Tried, default: _Tried, settings: TransferSettings, bench: MeasuringBench
) -> bool:
    if not default.result.samples:
        return True
    if max(one.result.samples) * _CLEARLY < min(default.result.samples):
        return True
    ours, theirs = bench.measure_interleaved(
        [one.schedule.mod, default.schedule.mod], settings.confirm_repeats, settings.seed
    )
    if not ours.samples or not theirs.samples:
        return False
    for tried, again in ((one, ours), (default, theirs)):
        tried.result = again
        tried.row.samples_us = samples_text(again.samples)
        tried.row.median_us = f"{again.latency * 1e6:.4f}"
    return significantly_faster(ours.samples, theirs.samples, settings.significance)


def _record(case: _Case, chosen: _Tried, log: TuningLog, elapsed: float, batch: int) -> None:
    best = f"{chosen.result.latency * 1e6:.4f}" if chosen.result.samples else ""
    log.append(
        [
            Trial(
                trial=len(log.trials) + number,
                elapsed_s=round(elapsed, 3),
                kernel=case.kernel.task,
                batch=batch,
                strategy=f"{STRATEGY}-default" if one is case.default else STRATEGY,
                candidate=one.row.candidate or candidate_name(one.schedule.mod),
                propose_s=0.0,
                build_s=round(one.result.build_seconds, 4),
                run_s=round(one.result.run_seconds, 4),
                samples_us=samples_text(one.result.samples),
                error=one.result.error,
                best_us=best,
                model_ms="",
            )
            for number, one in enumerate((*case.tried, case.default), 1)
        ]
    )


def _row(kernel: Kernel, **values: str) -> CandidateRow:
    return CandidateRow(kernel.task, kernel.kind, kernel.weight, kernel.flops, **values)
