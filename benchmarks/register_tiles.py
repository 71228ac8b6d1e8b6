#!/usr/bin/env python3
"""What the register-tile space is worth, and what the machine code of a tile looks like.

For each kernel: the share of TVM's own samples that keep to the space's limits, the speed of as
many random candidates of either space, also by the registers that their tiles fill, and for three
register tiles chosen by hand the speed and the number of instructions that move a vector register
to or from the stack.

Output: figures on standard output; with ``--assembly FOLDER`` the code of the chosen tiles.
"""

import argparse
import math
import random
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import _bootstrap  # noqa: F401
from _kernels import benchmark_kernels
from rivulet.config.sections import Measure
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.cpu import physical_cores
from rivulet.hardware.lock import device_lock
from rivulet.hardware.target import resolve_target
from rivulet.hardware.vectors import vector_registers
from rivulet.measure.bench import Bench
from rivulet.schedules.design_space import DesignSpace
from rivulet.schedules.points import Point
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.tvm_compat.traces import CATEGORICAL, Postprocessing, ReplayFailure

STACK_MOVE = re.compile(
    r"vmov[a-z]*\s.*%[xyz]mm\d+.*\(%r[sb]p\)|vmov[a-z]*\s.*\(%r[sb]p\).*%[xyz]mm"
)
# Innermost factors of a convolution's width and channels, and of its input channels.
CHOSEN = (((14, 32), 4), ((4, 64), 8), ((8, 32), 4))


def design_space(kernel, target, tiles):
    """The kernel's design space."""
    from tvm.s_tir import meta_schedule as ms

    context = ms.TuneContext(
        mod=kernel.module, target=target, space_generator="post-order-apply", rand_state=1
    )
    traces = [schedule.trace for schedule in context.generate_design_space()]
    return DesignSpace(kernel.module, traces, Postprocessing(kernel.module, target), tiles)


def schedules(space, count, rng):
    """As many valid random schedules, each with its point."""
    found = []
    while len(found) < count:
        try:
            schedule = space.schedule(space.sample(rng), rng.randrange(1, 2**30))
        except ReplayFailure:
            continue
        found.append((schedule, space.point_of(schedule.trace)))
    return found


def spatial_splits(point):
    """Splits of the spatial axes of the first tiled block; None where there is none."""
    for spatial, _ in point.structure.blocks:
        return [point.values[position] for position in spatial]
    return None


def report_space(kernel, target, tiles, count, samples, bench, rng):
    """Print how often stock samples are admitted, and how fast candidates of both spaces are."""
    spaces = {"register-tiles": tiles, "stock": None}
    for name, limits in spaces.items():
        some = schedules(design_space(kernel, target, limits), count, rng)
        results = bench.measure([schedule.mod for schedule, _ in some])
        speeds = sorted((kernel.flops / r.latency / 1e9 for r in results), reverse=True)
        print(
            f"{kernel.task}: {count} random candidates of {name}: best {speeds[0]:.0f}, "
            f"median {speeds[count // 2]:.0f} GFLOP/s",
            flush=True,
        )
        if limits is not None:
            report_fillings(kernel, limits, some, results)
    points = [p for _, p in schedules(design_space(kernel, target, None), samples, rng)]
    splits = [s for s in map(spatial_splits, points) if s is not None]
    within = [s for s in splits if tiles.admits(s)]
    without = sum(all(split[2] == 1 for split in s) for s in within)
    print(
        f"{kernel.task}: of {len(splits)} stock samples {len(within) / len(splits):.1%} are within "
        f"the limits, {without / len(splits):.1%} without the level between the reductions"
    )


def report_fillings(kernel, tiles, some, results):
    """Print the best speed by the number of registers that a tile fills."""
    speeds = defaultdict(list)
    for (_, point), result in zip(some, results, strict=True):
        splits = spatial_splits(point)
        if splits is not None:
            filled = tiles.accumulators([split[-1] for split in splits])
            speeds[filled].append(kernel.flops / result.latency / 1e9)
    text = "; ".join(f"{n}: {max(speeds[n]):.0f} of {len(speeds[n])}" for n in sorted(speeds))
    print(f"{kernel.task}: best GFLOP/s by registers filled, of so many candidates: {text}")


def chosen_point(space, width_channels, input_channels, rng):
    """A point with a given register tile, all rows in parallel, and the longest unrolling."""
    while True:
        point = space.sample(rng)
        structure = point.structure
        # The epilogue at the register tile's loops, as every good schedule has it.
        if "reverse_compute_at" in str(structure.trace) and structure.blocks:
            break
    (spatial, reduction), *_ = structure.blocks
    extents = {p: math.prod(structure.decisions[p].value) for p in (*spatial, *reduction)}
    values = list(point.values)
    batch, height, width, channels = spatial
    values[batch], values[height] = (extents[batch], 1, 1, 1), (extents[height], 1, 1, 1)
    for position, inner in zip((width, channels), width_channels, strict=True):
        if extents[position] % inner:
            raise ValueError(f"{inner} does not divide {extents[position]}")
        values[position] = (1, extents[position] // inner, 1, inner)
    for position in reduction[:-1]:
        values[position] = (extents[position], 1)
    values[reduction[-1]] = (extents[reduction[-1]] // input_channels, input_channels)
    for position, decision in enumerate(structure.decisions):
        if decision.kind == CATEGORICAL:
            values[position] = (decision.categories - 1,)
    return Point(structure, tuple(values))


def report_chosen(kernel, target, tiles, bench, folder, rng):
    """Print speed and stack moves of the tiles chosen by hand."""
    from tvm.driver import build
    from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

    space = design_space(kernel, target, tiles)
    for tile, step in CHOSEN:
        module = space.schedule(chosen_point(space, tile, step, rng), 1).mod
        (result,) = bench.measure([module])
        inference = RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module)
        code = build(inference, target=target).inspect_source("asm")
        moves = len(STACK_MOVE.findall(code))
        print(
            f"{kernel.task}: register tile {tile[0]} x {tile[1]}: "
            f"{kernel.flops / result.latency / 1e9:.0f} GFLOP/s, {moves} stack moves"
        )
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{kernel.task}-{tile[0]}x{tile[1]}.s").write_text(code)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--workloads", type=Path, help="workloads file (default: resnet18, 64 x 64)"
    )
    parser.add_argument("--kernels", nargs="*", help="tasks (default: the three with most FLOPs)")
    parser.add_argument("--candidates", type=int, default=48, help="timed per space (default: 48)")
    parser.add_argument("--samples", type=int, default=1500, help="counted (default: 1500)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: all cores")
    parser.add_argument(
        "--registers", type=int, help="limits as for this many registers (default: the CPU's own)"
    )
    parser.add_argument("--assembly", type=Path, help="folder for the chosen tiles' code")
    options = parser.parse_args()
    target = resolve_target(Device("local", "auto", options.threads))
    registers = vector_registers(target)
    if registers is None:
        raise UserError(f"{target}: its vector registers are not known")
    tiles = RegisterTiles(
        registers.bytes // 4, options.registers or registers.count, options.threads
    )
    kernels = {k.task: k for k in benchmark_kernels(options.workloads, target)}
    unknown = [name for name in options.kernels or () if name not in kernels]
    if unknown:
        raise UserError(f"--kernels {unknown[0]}: no such kernel; there are {', '.join(kernels)}")
    convolutions = [k for k in kernels.values() if "conv2d" in k.kind]
    chosen = [kernels[name] for name in options.kernels or ()] or sorted(
        convolutions, key=lambda k: -k.flops
    )[:3]
    rng = random.Random(1)
    with (
        device_lock(
            "cpu", "the benchmark of register tiles", lambda who: print("waiting for", who)
        ),
        tempfile.TemporaryDirectory() as scratch,
        Bench(target, options.threads, Measure().model_dump(mode="json"), Path(scratch)) as bench,
    ):
        for kernel in chosen:
            report_space(kernel, target, tiles, options.candidates, options.samples, bench, rng)
            try:
                report_chosen(kernel, target, tiles, bench, options.assembly, rng)
            except (ReplayFailure, ValueError) as error:
                print(f"{kernel.task}: the chosen tiles do not fit it: {error}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
