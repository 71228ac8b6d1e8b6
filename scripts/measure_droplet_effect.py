#!/usr/bin/env python3
"""What droplet search changes for one pair: before a transfer, after it, and in the own log.

Inputs: the exported target, its variants compiled without and with droplet, and their records.
Outputs: one row per comparison, and a record with every sample.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.estimates import (
    Sampling,
    Stopping,
    estimate_ratio,
    function_changes,
)
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.repeat import repeat_benchmark, without_failures
from rivulet.benchmark.subject import Subject
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.cli import Command, configured_device
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR, DROPLET, TRANSFER, TRANSFER_DROPLET
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record, write_record
from rivulet.provenance.behind import library_of, log_record_of
from rivulet.provenance.code import stage_code
from rivulet.records.best import best_traces
from rivulet.records.stored import read_kernel_table, read_log
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm

FROM_DROPLET = "transfer from droplet"
METHODS = (ANSOR, DROPLET, TRANSFER, FROM_DROPLET, TRANSFER_DROPLET)
COMPARISONS = {
    OWN_LOG: (DROPLET, ANSOR),
    BEFORE_TRANSFER: (FROM_DROPLET, TRANSFER),
    AFTER_TRANSFER: (TRANSFER_DROPLET, TRANSFER),
}
# Changes of a function below this share of the model's time explain nothing.
TOLD = 0.005
MOST_TOLD = 3


def effect(job, options):
    """Measure one pair."""
    settings = options.settings
    chosen = settings["benchmark"]
    device = configured_device(settings)
    model_record = options.model.with_suffix(".json")
    model = read_record(model_record).facts
    tolerance, key = tolerance_for(chosen, model)
    timing = TimingSettings.from_settings(chosen)
    subject = Subject(
        options.model, dict(zip(METHODS, map(library_of, options.records), strict=True)),
        model["inputs"], device, timing, tolerance, baselines=(), checks=chosen["inputs"],
        weights=job.scratch / "weights.npz", tolerance_key=key,
    )  # fmt: skip
    sampling = Sampling(chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"])
    repetitions = settings["repetitions"]
    stopping = Stopping(repetitions, repetitions, 0.0, sampling)
    with job.measuring(device):
        state = environment(device)
        progress = job.progress(repetitions * timing.samples, "rounds")
        repeated = repeat_benchmark(
            subject, stopping,
            lambda done, total, text: progress.update(done, f"5 variants in turns, {text}", total),
        )  # fmt: skip
        found = without_failures(repeated)
        changed = changed_kernels(options)
    rows = [
        row_of(options, name, *pair, found, changed, sampling) for name, pair in COMPARISONS.items()
    ]
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_table(EffectRow, rows, options.table)
    for row in rows:
        job.tell(
            f"droplet, {row.comparison}: {row.effect}x ({row.effect_low}-{row.effect_high}), "
            f"{row.verdict}"
        )
    facts = {
        "environment": state,
        "samples_ms": [one.samples for one in found],
        "functions_us": [one.functions for one in found],
        "code": stage_code("effect"),
    }
    inputs = [model_record, *options.records, *options.machine]
    write_record(
        options.record, "effect", options.subject, settings, inputs, [options.table], facts
    )


def changed_kernels(options):
    """Names of the kernels whose schedules differ in each comparison."""
    load_tvm(configured_device(options.settings).threads)
    tasks = {row["workload"]: name for name, row in read_kernel_table(options.kernels).items()}
    taken = {
        method: best_traces(read_log(log_record_of(path).parent))
        for method, path in zip(METHODS, options.records, strict=True)
    }
    return {
        name: {
            task for workload, task in tasks.items()
            if taken[method].get(workload) != taken[baseline].get(workload)
        }
        for name, (method, baseline) in COMPARISONS.items()
    }  # fmt: skip


def row_of(options, comparison, method, baseline, found, changed, sampling):
    """One row of the table."""
    subject = options.subject
    groups = {name: [one.samples[name] for one in found] for name in (baseline, method)}
    one = estimate_ratio(groups[baseline], groups[method], sampling)
    before, after = (
        median([median(samples) for samples in groups[name]]) for name in (baseline, method)
    )
    return EffectRow(
        hardware=subject["hardware"],
        target=subject["target"],
        source=subject["source"],
        trials=int(subject["trials"]),
        comparison=comparison,
        method=method,
        baseline=baseline,
        baseline_ms=round(before, 6),
        method_ms=round(after, 6),
        effect=round(one.value, 4),
        effect_low=round(one.low, 4),
        effect_high=round(one.high, 4),
        repetitions=len(found),
        verdict=one.verdict,
        reason=reason_of(found, baseline, method, changed[comparison]),
    )


def reason_of(found, baseline, method, changed):
    """The kernels with other schedules that make most of the difference."""
    changes = [
        (name, *times)
        for name, *times in function_changes(found, baseline, method, TOLD)
        if name in changed
    ]
    told = [f"{name} {before:.0f} to {after:.0f} us" for name, before, after in changes[:MOST_TOLD]]
    if len(changes) > MOST_TOLD:
        told.append(f"{len(changes) - MOST_TOLD} more")
    return ", ".join(told)


def main():
    """Run the command line."""
    command = Command(
        "Time a pair's variants without and with droplet beside each other.", "effect"
    )
    command.add(
        "--model", type=Path, required=True, help="exported target model, with its record beside it"
    )
    command.add("--kernels", type=Path, required=True, help="table of its kernels")
    command.add(
        "--records", type=Path, nargs=len(METHODS), required=True, metavar="RECORD",
        help=f"records of the compiled variants, in this order: {', '.join(METHODS)}",
    )  # fmt: skip
    command.add("--table", type=Path, required=True, help="CSV to write")
    return command.run(effect)


if __name__ == "__main__":
    raise SystemExit(main())
