#!/usr/bin/env python3
"""Benchmark a pair: all methods on the target, timed interleaved in one process.

Inputs: the exported target, its compiled variants, and the records of their logs.
Outputs: the pair's table and its record, which holds every sample.
"""

from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.pair import benchmark_variants
from rivulet.benchmark.table import MethodRow, fill_latencies, write_rows
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records.curve import read_curve
from rivulet.tvm_compat import load_tvm

NEVER = "never"


def benchmark(job, options):
    """Benchmark one pair."""
    settings = options.settings
    device = configured_device(settings)
    chosen = settings["benchmark"]
    timing = TimingSettings(**{k: chosen[k] for k in TimingSettings.__dataclass_fields__})
    compiled = [method for method in options.methods if method != "onnxruntime"]
    libraries = dict(zip(compiled, options.libraries, strict=True))
    with job.device("cpu"):
        tvm = load_tvm(device.threads)
        target = resolve_target(device)
        state = environment(device)
        progress = job.progress(timing.samples, "rounds")
        detail = f"{len(options.methods)} methods interleaved"
        result = benchmark_variants(
            options.onnx, libraries, read_record(options.model_record).facts["inputs"], target,
            device.threads, timing, chosen["tolerance"],
            lambda done, total: progress.update(done, detail),
            job.logger,
        )  # fmt: skip
    rows = describe(options, settings, result)
    fill_latencies(
        rows, result.samples, chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"]
    )
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_rows(rows, options.table)
    for row in rows:
        text = (
            row.error
            or f"{row.latency_ms:.3f} ms ({row.latency_ms_low:.3f}-{row.latency_ms_high:.3f})"
        )
        job.logger.info("%s: %s", row.method, text)
    state |= versions(tvm) | {"resolved_target": str(target)}
    facts = {"environment": state, "samples_ms": result.samples}
    facts["code"] = stage_code("benchmark")
    inputs = [options.model_record, *options.library_records, *options.log_records]
    write_record(
        options.record, "benchmark", options.subject, settings, inputs, [options.table], facts
    )


def describe(options, settings, result):
    """One row per method, all but the latencies."""
    subject = options.subject
    searched = [m for m in options.methods if m not in ("untuned", "onnxruntime")]
    logs = dict(zip(searched, options.log_records, strict=True))
    ansor = read_curve(options.ansor_trials)
    kernels = read_record(options.kernels_record).facts["kernels"]
    rows = []
    for method in options.methods:
        row = MethodRow(
            hardware=subject["hardware"], target=subject["target"], source=subject["source"],
            method=method, log=subject["log"], trials=int(subject["trials"]),
            fingerprint=settings["fingerprint"], tvm_version=settings["tvm"],
            error=result.failures.get(method, ""),
        )  # fmt: skip
        if method in result.errors and np.isfinite(result.errors[method]):
            row.max_rel_error = f"{result.errors[method]:.3e}"
        if method in logs:
            facts = read_record(logs[method]).facts
            for column in (
                "search_seconds", "trials_measured", "kernels_total", "kernels_covered",
                "flops_covered",
            ):  # fmt: skip
                setattr(row, column, facts[column])
            compare_times(row, facts, ansor, seconds_before(method, logs))
            # Droplet search on a transfer leans on the same sources.
            leaning = logs["transfer"] if method == "transfer+droplet" else logs[method]
            row.source_search_seconds = read_record(leaning).facts.get("source_search_seconds", "")
        elif method == "untuned":
            row.search_seconds = row.trials_measured = row.kernels_covered = row.flops_covered = 0
            row.kernels_total = kernels
        rows.append(row)
    return rows


def seconds_before(method, logs):
    """Search time of the log that a method goes on from; droplet search does."""
    start = {"droplet": "ansor", "transfer+droplet": "transfer"}.get(method)
    return read_record(logs[start]).facts["search_seconds"] if start else 0.0


def compare_times(row, facts, ansor, before):
    """Ansor's progress beside a method's result; both are sums of kernels in their logs.

    ``before`` is the search time that the method builds on.
    """
    # Without a schedule of every kernel the sum leaves something out, but for a transfer's, which
    # has the default loops of those kernels in it.
    if row.method == "transfer" or facts["kernels_covered"] == facts["kernels_total"]:
        row.kernel_sum_ms = facts["kernel_latency_sum_ms"]
    if row.method == "ansor" or row.kernel_sum_ms == "":
        return
    at_equal_time = ansor.at(before + facts["search_seconds"])
    row.ansor_sum_ms_at_equal_time = "" if at_equal_time is None else at_equal_time
    match = ansor.reach(row.kernel_sum_ms)
    row.ansor_seconds_to_match = NEVER if match is None else match.seconds


def versions(tvm):
    """Versions of what was compared."""
    import onnxruntime

    return {
        "tvm": tvm.__version__,
        "llvm": str(tvm.target.codegen.llvm_version_major()),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }


def main():
    """Run the command line."""
    command = Command("Time all methods on a target, interleaved in one process.", "benchmark")
    command.add("--onnx", type=Path, required=True, help="exported target model")
    command.add("--model-record", type=Path, required=True, help="its record")
    command.add("--kernels-record", type=Path, required=True, help="record of its kernels")
    command.add(
        "--methods", nargs="+", required=True, metavar="METHOD",
        help="what to time: untuned, onnxruntime, and names of what was searched",
    )  # fmt: skip
    command.add(
        "--libraries", type=Path, nargs="+", required=True,
        help="compiled model of each method but onnxruntime, in order",
    )  # fmt: skip
    command.add(
        "--library-records", type=Path, nargs="+", required=True,
        help="their records, but for the transfer's, whose log's record tells of it",
    )  # fmt: skip
    command.add(
        "--log-records", type=Path, nargs="+", required=True,
        help="records of the logs applied, one for each method that was searched",
    )  # fmt: skip
    command.add(
        "--ansor-trials", type=Path, required=True,
        help="trials.csv of the target's Ansor search, to compare at equal time",
    )  # fmt: skip
    command.add("--table", type=Path, required=True, help="CSV to write")
    return command.run(benchmark)


if __name__ == "__main__":
    raise SystemExit(main())
