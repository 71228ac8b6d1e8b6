#!/usr/bin/env python3
"""Do candidates timed with cold weights tell how kernels run within the model?

Compiles a model with the best schedules of each log given and times the whole models beside ONNX
Runtime, interleaved in one process. For the first log it then takes each kernel's time within the
model, alone with its weights flushed from the caches, and alone with everything warm; and times
the kernel's best schedules of the log both ways, to show which one either way would choose.

Output: figures on standard output.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.config.sections import Benchmark, Measure
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.hardware import Device
from rivulet.hardware.cpu import physical_cores, spread_cpus
from rivulet.hardware.lock import device_lock
from rivulet.hardware.target import resolve_target
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.statistics import bootstrap_median_interval, median
from rivulet.models.description import check_onnx
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import model_weight_bytes
from rivulet.tvm_compat.traces import Postprocessing, replay

REFERENCE = "onnxruntime"
STATES = ("in the model", "weights flushed", "warm")
WARM_RUNS = 3


def whole_models(onnx, prepared, logs, target, threads, samples, folder):
    """Time the models; returns the first log's, loaded."""
    inputs = check_onnx(onnx)["inputs"]
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in inputs]
    # ONNX Runtime starts its threads before this one is pinned, or they would share its core.
    variants = {REFERENCE: OnnxRuntimeModel(onnx, threads)}
    for name, log in logs.items():
        library = folder / f"model{len(variants)}.so"
        compile_model(prepared, target, log, library)
        variants[name] = CompiledModel(library, prepared.params)
    for variant in variants.values():
        variant.bind(arrays)
        variant.run()
    os.sched_setaffinity(0, spread_cpus(1))
    chosen = {**Benchmark().model_dump(mode="json"), "samples": samples}
    timing = TimingSettings.from_settings(chosen)
    found = time_interleaved(variants, timing, lambda done, total: None)
    first = next(iter(logs))
    for name in variants:
        ratios = {
            other: [a / b for a, b in zip(found[name], found[other], strict=True)]
            for other in dict.fromkeys((REFERENCE, first))
            if other != name
        }
        text = "; ".join(f"{_interval(r)} of {other}" for other, r in ratios.items())
        print(f"{name}: {median(found[name]):.2f} ms; {text}", flush=True)
    return variants[first]


def within_model(model, rounds):
    """Print each kernel's time in three states, and their sums over one inference."""
    flush = load_tvm().get_global_func("cache_flush_cpu_non_first_arg")
    calls, started, seconds = [], [0.0], {state: defaultdict(list) for state in STATES}

    def capture(function, name, before, _, *arguments):
        if before and not name.startswith("vm."):
            calls.append((name, function, arguments))
        return 0

    def clock(_, name, before, *__):
        if before:
            started[0] = time.perf_counter()
        else:
            seconds[STATES[0]][name].append(time.perf_counter() - started[0])
        return 0

    def timed(function, arguments, runs=1):
        begin = time.perf_counter()
        for _ in range(runs):
            function(*arguments)
        return (time.perf_counter() - begin) / runs

    machine = model._machine
    machine.set_instrument(capture)
    model.run()
    machine.set_instrument(clock)
    for _ in range(rounds):
        model.run()
        for name, function, arguments in calls:
            function(*arguments)
            seconds[STATES[2]][name].append(timed(function, arguments, WARM_RUNS))
        for name, function, arguments in calls:
            # Inputs, weights, residuals and the output, in this order: only weights are flushed.
            flush(arguments[0], *arguments[1:2])
            seconds[STATES[1]][name].append(timed(function, arguments))
    times = Counter(name for name, _, _ in calls)
    sums = dict.fromkeys(STATES, 0.0)
    print(f"\n{'kernel':<44} {'runs':>4} " + " ".join(f"{state:>16}" for state in STATES))
    for name, count in times.items():
        medians = {state: median(seconds[state][name]) for state in STATES}
        for state in STATES:
            sums[state] += count * medians[state]
        row = " ".join(f"{medians[state] * 1e6:13.1f} us" for state in STATES)
        print(f"{name:<44} {count:4} {row}")
    print(f"{'one inference':<49} " + " ".join(f"{sums[s] * 1e3:13.2f} ms" for s in STATES))


def choices(kernels, log, target, threads, best, rounds, folder):
    """Print the winner of a kernel's best schedules when timed warm and when timed cold."""
    settings = Measure().model_dump(mode="json")
    print(f"\neach kernel's {best} best of the log: the fastest warm and the fastest cold, us")
    print(f"{'':<36} {'fastest warm':>17} {'fastest cold':>17}")
    print(f"{'kernel':<36} " + f"{'warm':>8} {'cold':>8} " * 2)
    weights = model_weight_bytes((k.module, k.weight) for k in kernels)
    states = {cold: {**settings, "cold_weights": cold} for cold in (False, True)}
    with (
        Bench(target, threads, states[False], folder) as warm,
        Bench(target, threads, states[True], folder, model_weights=weights) as cold,
    ):
        for kernel in sorted(kernels, key=lambda k: -k.flops * k.weight):
            records = log.best_records(kernel, best)
            if len(records) < 2:
                continue
            postprocessing = Postprocessing(kernel.module, target)
            modules = [replay(kernel.module, r.trace, postprocessing, 1).mod for r in records]
            found = [
                [result.latency * 1e6 for result in bench.measure_interleaved(modules, rounds, 1)]
                for bench in (warm, cold)
            ]
            row = f"{kernel.task:<36}"
            for latencies in found:
                winner = int(np.argmin(latencies))
                row += f" {found[0][winner]:8.1f} {found[1][winner]:8.1f}"
            print(row, flush=True)


def _interval(ratios):
    low, high = bootstrap_median_interval(ratios, 0.95, 2000, 0)
    return f"{median(ratios):.3f} ({low:.3f}-{high:.3f})"


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("onnx", type=Path, help="model, as the workflow exports it")
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="logs of its search")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: all cores")
    parser.add_argument("--samples", type=int, default=40, help="of each model (default: 40)")
    parser.add_argument("--rounds", type=int, default=15, help="of each kernel (default: 15)")
    parser.add_argument("--best", type=int, default=16, help="schedules a kernel (default: 16)")
    options = parser.parse_args()
    for path in (options.onnx, *options.logs):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    load_tvm(options.threads)
    target = resolve_target(Device("local", "auto", options.threads))
    with (
        device_lock("cpu", "the benchmark of cold weights", lambda who: print("waiting for", who)),
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = Path(scratch)
        logs = {
            str(path): open_thinned(read_log(path), folder / f"log-{number}", options.best)
            for number, path in enumerate(options.logs)
        }
        prepared = prepare_model(options.onnx, target)
        everywhere = os.sched_getaffinity(0)
        model = whole_models(
            options.onnx, prepared, logs, target, options.threads, options.samples, folder
        )
        within_model(model, options.rounds)
        os.sched_setaffinity(0, everywhere)  # the benches' workers inherit it
        log = next(iter(logs.values()))
        choices(
            extract_kernels(prepared, target), log, target, options.threads, options.best,
            options.rounds, folder,
        )  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
