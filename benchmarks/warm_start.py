#!/usr/bin/env python3
"""After how many trials is a warm-started search as good as a cold one at its end?

Two logs cannot be compared by what they say: they were measured in different processes, and each
one's best are the luckiest of many. So this takes the warm-started search's best schedules as they
were after growing shares of the cold search's trials, and measures all of them and the cold
search's best again, kernel by kernel, in turns in one process.

Output: one line per share, and as the last line one JSON object.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.config.sections import Measure
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.cpu import physical_cores
from rivulet.hardware.lock import device_lock
from rivulet.hardware.target import resolve_target
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.side_by_side import measure_side_by_side, sum_ratio
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.records.trials import read_trials
from rivulet.tvm_compat.arguments import model_weight_bytes

SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 1 / 3)
ROUNDS = 9
_CONFIDENCE, _RESAMPLES = 0.95, 2000


def checkpoints(warm, cold_trials, shares, folder):
    """The warm log as it was after each share of the cold search's trials."""
    made = len(read_trials(warm / "trials.csv"))
    logs = {}
    for share in shares:
        count = min(round(share * cold_trials), made)
        if count not in logs:
            publish(warm, folder / str(count), count)
            logs[count] = open_thinned(read_log(folder / str(count)), folder / f"best-{count}")
    return logs


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--warm", type=Path, required=True, help="log of the warm-started search")
    parser.add_argument("--cold", type=Path, required=True, help="log of the cold search")
    parser.add_argument("--workloads", type=Path, required=True, help="the model's workloads")
    parser.add_argument("--threads", type=int, default=0, help="threads (default: all cores)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"samples (default: {ROUNDS})")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=SHARES, help="shares of the cold search's trials"
    )
    options = parser.parse_args()
    threads = options.threads or physical_cores()
    target = resolve_target(Device("local", "auto", threads))
    kernels = load_kernels(options.workloads)
    logging.basicConfig(level=logging.WARNING)
    weights = model_weight_bytes((k.module, k.weight) for k in kernels)
    settings = {**Measure().model_dump(mode="json"), "run_timeout_s": 120.0}

    def say(text):
        print(text, file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory() as scratch,
        device_lock("cpu", "benchmarks/warm_start.py", lambda holder: say(f"waiting: {holder}")),
        Bench(target, threads, settings, Path(scratch), model_weights=weights) as bench,
    ):
        cold_trials = len(read_trials(options.cold / "trials.csv"))
        logs = checkpoints(options.warm, cold_trials, options.shares, Path(scratch) / "logs")
        best = open_thinned(read_log(options.cold), Path(scratch) / "cold")
        samples = measure_side_by_side(
            kernels,
            {n: log.best_modules(kernels) for n, log in {"cold": best, **logs}.items()},
            bench, options.rounds, seed=0,
            report=lambda number, text: say(f"{number}/{len(kernels)} {text}"),
        )  # fmt: skip
    rows = []
    for count in logs:
        one = sum_ratio(samples[count], samples["cold"], _CONFIDENCE, _RESAMPLES, seed=0)
        rows.append({"trials": count, "ratio": one.value, "low": one.low, "high": one.high})
        print(
            f"after {count:5d} of {cold_trials} trials: latency, warm start / cold search at its "
            f"end {one.value:.3f} ({one.low:.3f}-{one.high:.3f})"
        )
    # As good within noise: the interval reaches down to it.
    reached = next((row["trials"] for row in rows if row["low"] <= 1), None)
    print(json.dumps({"cold_trials": cold_trials, "as_good_after": reached, "checkpoints": rows}))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
