#!/usr/bin/env python3
"""How exact and how fast are exp, log, tanh, erf, sigmoid, sinh and cosh on vectors?

Compares each function's kernel with float64 over the whole range of float32, and times it beside
the same kernel with the calls that TVM makes of it, on one thread, in turns, in a new order each
round. Prints a table with the ratio of the medians and its bootstrap interval.

Output: a plot of the errors over the range, as SVG.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
from scipy import special

import _bootstrap  # noqa: F401
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.lock import device_lock
from rivulet.hardware.target import resolve_target
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import median
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.vector_math import left_to_tvm

EXACT = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "erf": special.erf,
    "sigmoid": special.expit,
    "sinh": np.sinh,
    "cosh": np.cosh,
}
LANES = 16
CHUNK = 2**22  # numbers that errors are computed of at a time
TIMED = 4096  # fit the first-level cache, so that memory plays no part
RUNS = 10  # short, so that few samples are interrupted
SMALLEST_NORMAL, LAST_PLACE = 2.0**-126, 2.0**-149
BOUND = 1e-6


def kernel(name, size):
    """A kernel of a function with a vectorised loop."""
    tvm = load_tvm(1)
    from tvm import te, tirx

    data = te.placeholder((size,), name="data")
    result = te.compute((size,), lambda i: getattr(tirx, name)(data[i]), name="result")
    schedule = tvm.s_tir.Schedule(te.create_prim_func([data, result]))
    (loop,) = schedule.get_loops(schedule.get_sblock("result"))
    _, vector = schedule.split(loop, [None, LANES])
    schedule.vectorize(vector)
    return schedule.mod


def errors(name, target, every):
    """Numbers, relative errors where the result is normal, and units of last place elsewhere."""
    tvm = load_tvm(1)
    library = tvm.compile(kernel(name, CHUNK), target)
    for start in range(0, 2**32, every * CHUNK):
        patterns = (start + np.arange(CHUNK) * every) % 2**32
        x = patterns.astype(np.uint32).view(np.float32)
        out = tvm.runtime.tensor(np.zeros_like(x))
        library["main"](tvm.runtime.tensor(x), out)
        found = out.numpy()
        with np.errstate(all="ignore"):
            exact = EXACT[name](x.astype(np.float64))
            single = exact.astype(np.float32)
            wrong = np.isnan(found) != np.isnan(exact)
            wrong |= np.isinf(found) != np.isinf(single)
            relative = np.abs(found - exact) / np.abs(exact)
        if wrong.any():
            raise UserError(f"{name} of {x[wrong][0]} is {found[wrong][0]}")
        finite = np.isfinite(single) & (exact != 0)
        normal = finite & (np.abs(exact) >= SMALLEST_NORMAL)
        denormal = finite & ~normal
        places = np.abs(found[denormal] - exact[denormal]) / LAST_PLACE
        yield x[normal], relative[normal], places


def timings(name, target, rounds):
    """Seconds per run: ours, and TVM's, sample by sample from the same rounds."""
    tvm = load_tvm(1)
    module = kernel(name, TIMED)
    ours = tvm.compile(module, target)
    with left_to_tvm():
        theirs = tvm.compile(module, target)
    generator = np.random.default_rng(0)
    x = tvm.runtime.tensor(generator.uniform(0.01, 8, TIMED).astype(np.float32))
    out = tvm.runtime.tensor(np.zeros(TIMED, np.float32))
    samples = ([], [])
    sides = list(zip((ours, theirs), samples, strict=True))
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(sides)
        for library, seconds in sides:
            timer = library.mod.time_evaluator("main", tvm.cpu(), number=RUNS, repeat=1)
            seconds.append(timer(x, out).mean)
    return samples


class Profile:
    """Largest error within each small range of the argument, as a plot needs it."""

    def __init__(self):
        # The argument's sign and its distance from the smallest normal number in powers of two.
        self.edges = np.linspace(-126, 128, 255)
        self.largest = {-1: np.zeros(254), 1: np.zeros(254)}

    def add(self, x, relative):
        """Take in some numbers and their errors."""
        with np.errstate(divide="ignore"):
            place = np.clip(np.digitize(np.log2(np.abs(x)), self.edges) - 1, 0, 253)
        for sign, largest in self.largest.items():
            chosen = np.sign(x) == sign
            np.maximum.at(largest, place[chosen], relative[chosen])


def draw(profiles, path):
    """Write a plot of each function's errors over its range."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = path.stem
    from matplotlib import pyplot

    columns = 2
    rows = -(-len(profiles) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(10, 2.1 * rows), sharex=True, sharey=True
    )
    for axis, (name, profile) in zip(axes.flat, profiles.items(), strict=False):
        for sign, label in ((1, "x > 0"), (-1, "x < 0")):
            shown = np.where(profile.largest[sign] > 0, profile.largest[sign], np.nan)
            axis.step(profile.edges[:-1], shown * 1e7, where="post", label=label, linewidth=1)
        axis.axhline(BOUND * 1e7, color="black", linewidth=0.6, linestyle=":")
        axis.set_title(name, fontsize=10, loc="left")
    for place in range(len(profiles), rows * columns):
        axes.flat[place].set_axis_off()
        axes.flat[place - columns].tick_params(labelbottom=True)  # the last one of its column
    axes.flat[0].legend(frameon=False, fontsize=8)
    axes[0, 0].set_ylim(0, 11)
    figure.supxlabel("log2 |x|", fontsize=10)
    figure.supylabel("largest relative error, 1e-7 (dotted: the bound)", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--every", type=int, default=251, help="test each so-manieth float32 (default: 251)"
    )
    parser.add_argument("--rounds", type=int, default=200, help="timing rounds (default: 200)")
    parser.add_argument("--output", type=Path, default=Path("docs/vector_math.svg"))
    options = parser.parse_args()
    target = resolve_target(Device("local", "auto", 1))
    load_tvm(1)
    profiles = {}
    print("| function | relative error | denormal results | ns | TVM's ns | times as fast |")
    print("|---|---|---|---|---|---|")
    with device_lock("cpu", "vector_math.py"):
        for name in EXACT:
            profiles[name] = Profile()
            worst = places = 0.0
            for x, relative, units in errors(name, target, options.every):
                profiles[name].add(x, relative)
                worst = max(worst, relative.max(initial=0))
                places = max(places, units.max(initial=0))
            ours, theirs = timings(name, target, options.rounds)
            ratio = latency_ratio([KernelSamples(1, theirs, ours)], 0.95, 2000, 0)
            own, other = (median(s) / TIMED * 1e9 for s in (ours, theirs))
            speed = f"{ratio.value:.1f} ({ratio.low:.1f} to {ratio.high:.1f})"
            units = f"{places:.2f} units" if places else "exact"
            print(
                f"| {name} | {worst:.1e} | {units} | {own:.2f} | {other:.2f} | {speed} |",
                flush=True,
            )
    draw(profiles, options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
