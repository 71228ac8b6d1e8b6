#!/usr/bin/env python3
"""What a batch of the search costs beside measuring, and how that grows with the log.

Runs the search on made-up latencies, so that all time is the search's own. Without
--workloads it takes the kernels of resnet18 with inputs of 64 x 64.

Output: a CSV file with one row per batch, and a summary on the terminal whose last line is a
JSON object with the growth (cost of a late batch over that of an early one) and the largest
resident memory.
"""

import argparse
import csv
import json
import logging
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
import xgboost

import _bootstrap  # noqa: F401
from _kernels import benchmark_kernels
from rivulet.config.load import load_config
from rivulet.config.sections import Search
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.target import resolve_target
from rivulet.measure.replay import ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.search.evolutionary import EvolutionaryProposer
from rivulet.tuning import Session, TrialBudget, tune

LARGEST_RATIO = 1.3
LARGEST_GIB = 2.5
# Shares of the trials: 400 to 600 and 4,800 to 5,000 of 5,000. The early one begins after every
# kernel's first round: candidates of those are drawn and not evolved, which costs a fraction.
EARLY, LATE = (0.08, 0.12), (0.96, 1.0)
SMALLEST = 300  # trials; with fewer there is no late batch to compare with an early one
# Of a batch's seconds: retraining is a part of learning, opening (a kernel's first and second
# round) of proposing; committing and appending write the log.
PARTS = ("propose_s", "open_s", "learn_s", "retrain_s", "commit_s", "append_s")
COLUMNS = ("trials", "kernel", "candidates", "batch_s", *PARTS, "cpu_s", "rss_mib")


class Clock:
    """Seconds spent in some methods since the last row, each with what it calls."""

    def __init__(self):
        self.seconds = defaultdict(float)

    def watch(self, owner, method, name):
        """Count the time of ``owner.method`` under ``name``."""
        original = getattr(owner, method)

        def timed(*args, **kwargs):
            started = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - started

        setattr(owner, method, timed)

    def take(self):
        """Hand out what was counted, and begin anew."""
        taken, self.seconds = self.seconds, defaultdict(float)
        return taken


def watched_clock():
    """A clock on the parts of a batch that the search does itself."""
    clock = Clock()
    clock.watch(EvolutionaryProposer, "propose", "propose_s")
    clock.watch(EvolutionaryProposer, "_open", "open_s")
    clock.watch(EvolutionaryProposer, "learn", "learn_s")
    clock.watch(xgboost, "train", "retrain_s")  # by the cost model, now and then
    clock.watch(TuningLog, "commit", "commit_s")
    clock.watch(TuningLog, "append", "append_s")
    clock.watch(ReplayBench, "measure", "measure_s")
    return clock


def run(kernels, target, threads, trials, settings, folder, out):
    """Search, writing a row per batch; return the rows."""
    clock, process = watched_clock(), psutil.Process()
    log = TuningLog(folder)
    rows = []
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        cpu, began = process.cpu_times(), time.perf_counter()

        def report(done, detail):
            nonlocal cpu, began
            taken, now, ended = clock.take(), process.cpu_times(), time.perf_counter()
            row = {
                "trials": done,
                "kernel": detail.split(" ")[0],
                "candidates": done - (rows[-1]["trials"] if rows else 0),
                "batch_s": round(ended - began - taken["measure_s"], 4),
                "cpu_s": round(now.user + now.system - cpu.user - cpu.system, 3),
                "rss_mib": round(process.memory_info().rss / 2**20, 1),
                **{name: round(taken[name], 4) for name in PARTS},
            }
            cpu, began = now, ended
            rows.append(row)
            writer.writerow(row)
            stream.flush()
            if len(rows) % 20 == 0:
                print(f"{done} of {trials} trials, {row['rss_mib']:.0f} MiB", flush=True)

        bench = ReplayBench(surrogate=LoopSurrogate(target, threads))
        session = Session(
            kernels, target=target, threads=threads, log=log, bench=bench,
            logger=logging.getLogger("batch_cost"), report=report,
        )  # fmt: skip
        tune(EvolutionarySearch(SearchSettings(**settings)), session, TrialBudget(trials))
    return rows


def mean_batch(rows, trials, share, settings):
    """Mean seconds per batch over the batches that ended within a share of the trials.

    Now and then a batch is not full, so it is seconds per candidate, times a full batch's number.
    """
    low, high = (round(trials * end) for end in share)
    kernels = [row["kernel"] for row in rows]
    begun = max(rows[kernels.index(kernel)]["trials"] for kernel in set(kernels))
    low, high = low + max(0, begun - low), high + max(0, begun - low)
    chosen = [row for row in rows if low < row["trials"] <= high]
    candidates = sum(row["candidates"] for row in chosen)
    mean = sum(row["batch_s"] for row in chosen) / max(1, candidates) * settings["batch_size"]
    print(f"  trials {low}-{high}: {mean:.3f} s ({len(chosen)} batches, {candidates} candidates)")
    return mean


def summarise(rows, trials, settings):
    """Print what a batch costs early and late; the last line is a JSON object for programs."""
    peak = max(row["rss_mib"] for row in rows) / 1024
    print(f"a batch of {settings['batch_size']}, measuring left out:")
    early, late = (mean_batch(rows, trials, share, settings) for share in (EARLY, LATE))
    growth = late / early if early else float("inf")
    print(f"  ratio: {growth:.2f} (bar: {LARGEST_RATIO})")
    print(f"largest resident memory: {peak:.2f} GiB (bar: {LARGEST_GIB})")
    print("where it goes, seconds per thousand trials:")
    for begin in range(0, trials, 1000):
        part = [row for row in rows if begin < row["trials"] <= begin + 1000]
        sums = {name: sum(row[name] for row in part) for name in ("batch_s", *PARTS, "cpu_s")}
        text = ", ".join(f"{name.removesuffix('_s')} {value:.1f}" for name, value in sums.items())
        print(f"  {begin}-{begin + 1000}: {text}")
    print(json.dumps({"batch_cost_growth": round(growth, 3), "rss_gib": round(peak, 3)}))


def search_settings(text):
    """The config's search settings: JSON, a config file, or the defaults."""
    if text is None:
        return Search().model_dump(mode="json")
    if Path(text).suffix in (".yaml", ".yml"):
        return load_config(Path(text)).search.model_dump(mode="json")
    return Search(**json.loads(text)).model_dump(mode="json")


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--workloads", type=Path,
        help="kernels of a model, such as results/local/kernels/resnet50.workloads.json.gz",
    )  # fmt: skip
    parser.add_argument("--trials", type=int, default=5000, help="trials to search")
    parser.add_argument("--threads", default="auto", help="threads of the search")
    parser.add_argument(
        "--settings", help="search settings: a config file (.yaml), or JSON such as "
        '{"batch_size": 16}; without it the defaults',
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("batch_cost.csv"), help="CSV to write")
    options = parser.parse_args()
    try:
        if options.trials < SMALLEST:
            raise UserError(f"--trials: {options.trials} is too few; allowed: {SMALLEST} or more")
        settings = search_settings(options.settings)
        threads = options.threads if options.threads == "auto" else int(options.threads)
        device = Device.from_settings(
            "local", {"target": "auto", "threads": threads, "runner": "local"}
        )
        target = resolve_target(device)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        kernels = benchmark_kernels(options.workloads, target)
        with tempfile.TemporaryDirectory() as scratch:
            rows = run(
                kernels, target, device.threads, options.trials, settings, Path(scratch),
                options.out,
            )  # fmt: skip
    except (UserError, ValueError) as error:
        print(f"batch_cost: {error}", file=sys.stderr)
        return 2
    summarise(rows, options.trials, settings)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
