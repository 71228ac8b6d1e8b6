#!/usr/bin/env python3
"""Does compiling on one core disturb the timing of a kernel on another?

Times the same kernels, on one thread pinned to one core, in turns while nothing else runs and
while a builder pinned to another core compiles candidates. Prints the ratio of the two times,
compiling over quiet, with a bootstrap interval over the rounds.

Output: a CSV file with one row per kernel and round.
"""

import argparse
import csv
import itertools
import logging
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

import _bootstrap  # noqa: F401
from _kernels import benchmark_kernels
from rivulet.config.sections import Measure, Search
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.cpu import spread_cpus
from rivulet.hardware.lock import device_lock
from rivulet.hardware.target import resolve_target
from rivulet.measure.pool import Worker
from rivulet.measure.replay import ReplayBench
from rivulet.measure.statistics import bootstrap_median_interval, median
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tvm_compat.arguments import kernel_call

LARGEST_RATIO = 1.02
STATES = ("quiet", "compiling")


def scheduled_modules(kernels, target, folder):
    """A sensible schedule of each kernel, from a short search on made-up latencies."""
    log = TuningLog(folder)
    settings = Search(batch_size=8, population=64).model_dump(mode="json")
    session = Session(
        kernels, target=target, threads=1, log=log,
        bench=ReplayBench(surrogate=LoopSurrogate(target, 1)), logger=logging.getLogger("overlap"),
    )  # fmt: skip
    strategy = EvolutionarySearch(SearchSettings(**settings))
    tune(strategy, session, TrialBudget(8 * len(kernels)))
    best = [log.best_records(kernel, 1)[0] for kernel in kernels]
    return [record.as_measure_candidate().sch.mod for record in best]


def pinned_worker(core):
    """A started worker whose threads stay on one core, whatever TVM has pinned them to."""
    settings, own = Measure(), os.sched_getaffinity(0)
    worker = Worker(1, settings.worker_max_uses, settings.worker_memory_gib)
    os.sched_setaffinity(0, {core})
    try:
        worker.call("ping", timeout=120)
    finally:
        os.sched_setaffinity(0, own)
    for thread in threads_of(worker):
        os.sched_setaffinity(thread, {core})
    return worker


def threads_of(worker):
    """Numbers of a worker's threads."""
    (process,) = (child for child in psutil.Process().children() if child.pid == worker.pid)
    return [thread.id for thread in process.threads()]


def check_pinned(worker, core):
    """A builder that has strayed to the runner's core would measure something else."""
    strayed = [t for t in threads_of(worker) if os.sched_getaffinity(t) != {core}]
    if strayed:
        raise UserError(f"{len(strayed)} thread(s) of a worker do not stay on CPU {core}")


@contextmanager
def compiling(builder, modules, target, path):
    """Keep the builder busy meanwhile."""
    stop, begun = threading.Event(), threading.Event()

    def build():
        for module in itertools.cycle(modules):
            if stop.is_set():
                return
            begun.set()
            builder.call("build", module, target, str(path), False, timeout=120)

    # Python ends a worker with the thread that started it, so the builder was started before.
    thread = threading.Thread(target=build)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(names, modules, target, cores, seconds, folder):
    """Yield (round, state, kernel, latency in seconds) until the time is over."""
    settings = {**Measure().model_dump(mode="json"), "repeats": 1}
    runner, builder = pinned_worker(cores[0]), pinned_worker(cores[1])
    os.sched_setaffinity(0, {cores[1]})
    kernels = []
    for number, module in enumerate(modules):
        path = folder / f"kernel{number}.so"
        builder.call("build", module, target, str(path), False, timeout=120)
        kernels.append((str(path), kernel_call(module, packed=True)))
    for worker, core in zip((runner, builder), cores, strict=True):
        check_pinned(worker, core)
    shuffle, ends = random.Random(0).shuffle, time.monotonic() + seconds
    try:
        for number in itertools.count():
            order = list(STATES)
            shuffle(order)
            for state in order:
                with (
                    compiling(builder, modules, target, folder / "other.so")
                    if state == "compiling"
                    else _nothing()
                ):
                    for name, (path, call) in zip(names, kernels, strict=True):
                        (sample,) = runner.call("time", path, call, settings, None, timeout=60)
                        yield number, state, name, sample
            if time.monotonic() > ends:
                return
    finally:
        runner.close()
        builder.close()


@contextmanager
def _nothing():
    yield


def summarise(rows):
    """Print the ratios; return whether compiling disturbs no more than the bar allows."""
    samples = {(number, state, name): seconds for number, state, name, seconds in rows}
    rounds = sorted({number for number, _, _, _ in rows})
    names = list(dict.fromkeys(name for _, _, name, _ in rows))
    ratios = np.array(
        [
            [samples[r, "compiling", name] / samples[r, "quiet", name] for r in rounds]
            for name in names
        ]
    )
    print(f"{len(rounds)} rounds; time while compiling over time while quiet, median and 95 %:")
    for name, series in zip(names, ratios, strict=True):
        low, high = bootstrap_median_interval(series, 0.95, 2000, 0)
        quiet = median([samples[r, "quiet", name] for r in rounds]) * 1e6
        print(f"  {name:40} {quiet:10.1f} us  {median(series):.4f} ({low:.4f} to {high:.4f})")
    means = np.exp(np.log(ratios).mean(axis=0))  # geometric, over the kernels of a round
    low, high = bootstrap_median_interval(means, 0.95, 2000, 0)
    print(f"  all: {median(means):.4f} ({low:.4f} to {high:.4f}); bar: {LARGEST_RATIO}")
    return median(means) <= LARGEST_RATIO


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--workloads", type=Path, help="kernels of a model, made by the workflow")
    parser.add_argument("--kernels", type=int, default=8, help="how many, those with most FLOPs")
    parser.add_argument("--seconds", type=float, default=90.0, help="time to measure for")
    parser.add_argument("--out", type=Path, default=Path("overlap.csv"), help="CSV to write")
    options = parser.parse_args()
    cores = spread_cpus(2)
    try:
        if len(cores) < 2:
            raise UserError("one CPU is usable here; this measurement needs two")
        target = resolve_target(Device("local", "auto", 1))
        kernels = benchmark_kernels(options.workloads, target)
        kernels = sorted(kernels, key=lambda kernel: -kernel.flops)[: options.kernels]
        with tempfile.TemporaryDirectory() as name, device_lock("cpu", "benchmarks/overlap.py"):
            folder = Path(name)
            modules = scheduled_modules(kernels, target, folder / "log")
            names = [kernel.task for kernel in kernels]
            rows = list(measure(names, modules, target, cores, options.seconds, folder))
    except UserError as error:
        print(f"overlap: {error}", file=sys.stderr)
        return 2
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["round", "state", "kernel", "seconds"])
        writer.writerows(rows)
    return 0 if summarise(rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
