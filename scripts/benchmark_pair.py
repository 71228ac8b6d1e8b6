#!/usr/bin/env python3
"""Benchmark a pair: all methods on the target, timed interleaved in processes of their own.

Inputs: the exported target, its compiled variants, the records of their logs, the target's kernels
and the machine's roofline.
Outputs: the pair's table, every sample behind it, the kernels of each method, and the record.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
from rivulet.benchmark.blame import find_wrong_kernels
from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.kernel_rows import KernelRow, Roofline, kernel_rows
from rivulet.benchmark.repeat import repeat_benchmark
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.table import (
    MethodRow,
    SampleRow,
    fill_latencies,
    sample_rows,
    write_rows,
)
from rivulet.errors import UserError
from rivulet.hardware.conduct import clocks
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.cli import Command, configured_device
from rivulet.measure.roofline import RoofRow
from rivulet.methods import ANSOR, UNTUNED, baselines, method_of, runtimes
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record, write_record
from rivulet.provenance.behind import library_of, log_record_of
from rivulet.provenance.checkout import commit, versions
from rivulet.provenance.code import stage_code
from rivulet.records.curve import read_curve
from rivulet.records.stored import read_kernel_table
from rivulet.tables import read_table, write_table


def benchmark(job, options):
    """Benchmark one pair."""
    settings = options.settings
    device = configured_device(settings)
    chosen = settings["benchmark"]
    sampling = Sampling(chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"])
    subject = subject_of(job, options, device)
    one = chosen["processes"] == 1
    stopping = Stopping(
        chosen["processes"], 1 if one else chosen["max_processes"], chosen["precision"], sampling,
        (UNTUNED,),  # nobody runs it so, and it takes longest
    )  # fmt: skip
    detail = f"{len(options.methods)} methods in turns"
    progress = job.progress(stopping.most * subject.timing.samples, "rounds")
    with job.measuring(device):
        state = environment(device)
        found = repeat_benchmark(
            subject, stopping,
            lambda done, total, text: progress.update(done, f"{detail}, {text}", total),
        )  # fmt: skip
        state["clocks_after"] = clocks()
        blame(job, options, found, subject)
    groups = {method: found.groups(method) for method in options.methods}
    rows = describe(options, settings, found)
    fill_latencies(rows, groups, sampling)
    conduct = [one.conduct for one in found.results if one.conduct is not None]
    complaints = found.complaints
    for row in rows:
        row.disturbed = "; ".join(complaints)
    write_all(options, rows, found, sampling)
    for row in rows:
        text = (
            row.error
            or f"{row.latency_ms:.3f} ms ({row.latency_ms_low:.3f}-{row.latency_ms_high:.3f})"
        )
        job.logger.info("%s: %s", row.method, text)
    for complaint in complaints:
        job.tell(f"the table is marked: {complaint}")
    facts = {
        "environment": {
            **state,
            **found.results[0].toolchain,
            "versions": versions(),
            "commit": commit(),
        },
        "conduct": [one.facts() for one in conduct],
        "runtimes": found.results[0].runtimes,
        "config": json.loads(os.environ.get("RIVULET_CONFIG", "null")),
        "code": stage_code("benchmark"),
    }
    inputs = [
        model_record(options), options.roofline_record, *options.records,
        *logs_of(options).values(), *options.machine,
    ]  # fmt: skip
    outputs = [options.table, samples_of(options), options.kernel_table]
    write_record(options.record, "benchmark", options.subject, settings, inputs, outputs, facts)


def subject_of(job, options, device):
    """What is timed."""
    chosen = options.settings["benchmark"]
    model = read_record(model_record(options))
    tolerance, key = tolerance_for(chosen, model.facts)
    return Subject(
        options.model, {m: library_of(record) for m, record in compiled_of(options).items()},
        model.facts["inputs"],
        device, TimingSettings.from_settings(chosen),
        tolerance, [m for m in options.methods if m in runtimes()],
        definition=model.settings["model"], checks=chosen["inputs"],
        weights=job.scratch / "weights.npz", peak_gflops=roofs_of(options).get("compute"),
        # Seconds long on large models, and hundreds of times slower than what it is held against:
        # an observation in each of several processes tells all that anyone asks of it.
        once_only=[] if chosen["processes"] == 1 else [UNTUNED],
        tolerance_key=key,
    )  # fmt: skip


def blame(job, options, found, subject):
    """Name the kernels behind each wrong output; the device is still held."""
    folders = {method: path.parent for method, path in logs_of(options).items()}
    for method, reason in found.failures.items():
        if not (reason.startswith("wrong output") and method in folders):
            continue
        job.tell(f"{method}: {reason}; replaying its kernels one at a time")
        device = configured_device(options.settings)
        try:
            told = find_wrong_kernels(
                folders[method], device.location, subject.tolerance, subject.timing.seed,
                job.scratch, lambda done, kernel: job.logger.info("replayed %d: %s", done, kernel),
                options.kernels_record.with_suffix(".csv"),
            ).text  # fmt: skip
        except UserError as error:
            told = f"its kernels could not be replayed: {error}"
        found.failures[method] = f"{reason}; {told}"


def model_record(options):
    """The record of the exported model."""
    return options.model.with_suffix(".json")


def samples_of(options):
    """Where every sample goes, in a folder beside the table."""
    return options.table.parent / "samples" / options.table.name


def compiled_of(options):
    """Method to the record of its compiled model; other runtimes have none."""
    compiled = [method for method in options.methods if method not in runtimes()]
    return dict(zip(compiled, options.records, strict=True))


def logs_of(options):
    """Method to the record of the log behind it; baselines have none."""
    return {
        method: log_record_of(record)
        for method, record in compiled_of(options).items()
        if method_of(method).has_log
    }


def roofs_of(options):
    """Roof to its peak."""
    return {
        row.roof: row.peak
        for row in read_table(RoofRow, options.roofline_record.with_suffix(".csv"))
    }


def write_all(options, rows, found, sampling):
    """Write the three tables."""
    samples = samples_of(options)
    for path in (options.table, samples, options.kernel_table):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(rows, options.table)
    write_table(SampleRow, sample_rows(found), samples)
    roofs = roofs_of(options)
    table = read_kernel_table(options.kernels_record.with_suffix(".csv"))
    roofline = Roofline(roofs["compute"], roofs["bandwidth"]) if roofs else None
    kernels = kernel_rows(options.subject, found.used, table, roofline, sampling, found.failures)
    write_table(KernelRow, kernels, options.kernel_table)


def describe(options, settings, found):
    """One row per method, all but the latencies."""
    subject = options.subject
    logs = logs_of(options)
    ansor = read_curve(logs[ANSOR].parent / "trials.csv")
    kernels = read_record(options.kernels_record).facts["kernels"]
    rows = []
    for method in options.methods:
        row = MethodRow(
            hardware=subject["hardware"], target=subject["target"], source=subject["source"],
            method=method, log=subject["log"], trials=int(subject["trials"]),
            fingerprint=settings["fingerprint"], tvm_version=settings["tvm"],
            error=found.failures.get(method, ""),
        )  # fmt: skip
        if method in found.errors and np.isfinite(found.errors[method]):
            row.max_rel_error = float(found.errors[method])
        if method in logs:
            facts = read_record(logs[method]).facts
            for column in (
                "search_seconds", "trials_measured", "kernels_total", "kernels_covered",
                "flops_covered",
            ):  # fmt: skip
                setattr(row, column, facts[column])
            compare_times(row, facts, ansor, seconds_before(method, logs))
            # What goes on from a transfer leans on the same sources.
            one = method_of(method)
            leaning = logs[one.goes_on_from if one.moves and one.goes_on_from else method]
            row.source_search_seconds = read_record(leaning).facts.get("source_search_seconds")
        elif method == UNTUNED:
            row.search_seconds = row.trials_measured = row.kernels_covered = row.flops_covered = 0
            row.kernels_total = kernels
        rows.append(row)
    return rows


def seconds_before(method, logs):
    """Search time of the log that a method goes on from; droplet search does."""
    start = method_of(method).goes_on_from
    return read_record(logs[start]).facts["search_seconds"] if start else 0.0


def compare_times(row, facts, ansor, before):
    """Ansor's progress beside a method's result; both are sums of kernels in their logs.

    ``before`` is the search time that the method builds on.
    """
    # Without a schedule of every kernel the sum leaves something out, but for a transfer's, which
    # has the default loops of those kernels in it.
    if method_of(row.method).compiles or facts["kernels_covered"] == facts["kernels_total"]:
        row.kernel_sum_ms = facts["kernel_latency_sum_ms"]
    if row.method == ANSOR or row.kernel_sum_ms is None:
        return
    row.ansor_sum_ms_at_equal_time = ansor.at(before + facts["search_seconds"])
    match = ansor.reach(row.kernel_sum_ms)
    row.ansor_seconds_to_match = math.inf if match is None else match.seconds


def main():
    """Run the command line."""
    command = Command("Time all methods on a target, interleaved.", "benchmark")
    command.add(
        "--model", type=Path, required=True, help="exported target model, with its record beside it"
    )
    command.add("--kernels-record", type=Path, required=True, help="record of its kernels")
    command.add(
        "--roofline-record", type=Path, required=True, help="record of the machine's roofline"
    )
    command.add(
        "--methods", nargs="+", required=True, metavar="METHOD",
        help=f"what to time: {', '.join(baselines())}, and names of what was searched",
    )  # fmt: skip
    command.add(
        "--records",
        type=Path,
        nargs="+",
        required=True,
        metavar="RECORD",
        help="records of the compiled models, of each method but the other runtimes, in order; "
        "the log behind each is found by them",
    )
    command.add("--table", type=Path, required=True, help="CSV to write")
    command.add("--kernel-table", type=Path, required=True, help="CSV of the kernels to write")
    return command.run(benchmark)


if __name__ == "__main__":
    raise SystemExit(main())
