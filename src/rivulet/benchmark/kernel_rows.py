"""How long each kernel takes within a model, by method, and how near it comes to the roofline."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.benchmark.estimates import Sampling, estimate_latency
from rivulet.benchmark.pair import PairResult

OTHER = "(other)"
COMPUTE, MEMORY = "compute", "memory"


@dataclass(frozen=True)
class Roofline:
    """What the machine can do at most.

    Attributes:
        gflops: Floating-point operations per nanosecond.
        gbytes: Bytes per nanosecond from and to memory.
    """

    gflops: float
    gbytes: float

    def least_us(self, flops: float, moved: float) -> tuple[float, str]:
        """Microseconds that a kernel needs at least, and which of the two roofs it lies under.

        Args:
            flops: Operations of the kernel.
            moved: Bytes that it reads and writes.
        """
        computing, moving = flops / self.gflops * 1e-3, moved / self.gbytes * 1e-3
        return (computing, COMPUTE) if computing >= moving else (moving, MEMORY)


@dataclass(frozen=True)
class KernelRow:
    """One kernel of one method in a pair's kernel table.

    A number that it lacks is None.

    Attributes:
        hardware: Where it ran.
        target: The model.
        source: Source of the pair's transfer.
        log: Kind of the log.
        trials: Trial count of the log.
        method: Whose schedules the model was compiled with.
        kernel: Task name; ``(other)`` is what is no kernel.
        kernel_class: Its class.
        runs: How often the model runs it.
        latency_us: Microseconds of one run, within the model.
        latency_us_low: Lower end of its interval; empty with one process.
        latency_us_high: Upper end.
        share_of_model: Share of the model's time.
        gflops: Operations per second.
        share_of_peak: The same as a share of the most that the machine can do.
        share_of_roof: Least time that the machine needs for its operations and its bytes, over
            the time that it takes.
        bound: ``compute`` or ``memory``: which roof is the lower one.
    """

    hardware: str
    target: str
    source: str
    log: str
    trials: int
    method: str
    kernel: str
    kernel_class: str = ""
    runs: int | None = None
    latency_us: float | None = None
    latency_us_low: float | None = None
    latency_us_high: float | None = None
    share_of_model: float | None = None
    gflops: float | None = None
    share_of_peak: float | None = None
    share_of_roof: float | None = None
    bound: str = ""


def kernel_rows(
    subject: Mapping[str, str],
    results: Sequence[PairResult],
    kernels: Mapping[str, Mapping[str, str]],
    roofline: Roofline | None,
    *,
    sampling: Sampling,
    failed: Collection[str] = (),
) -> list[KernelRow]:
    """A row for each kernel of each method, those that take most of the model's time first.

    Args:
        subject: ``hardware``, ``target``, ``source``, ``log`` and ``trials`` of the pair.
        results: What each process saw.
        kernels: The target's kernel table, by task name.
        roofline: The machine's; None where it is not known.
        sampling: How intervals are made.
        failed: Methods that failed in a process, which have no rows.
    """
    methods = dict.fromkeys(name for one in results for name in one.functions)
    rows = []
    for method in (name for name in methods if name not in failed):
        seen = [one.functions[method] for one in results if method in one.functions]
        spent = [_by_kernel(functions, kernels) for functions in seen]
        by_name = {
            name: groups
            for name in spent[0]
            if (groups := [[one[name]] for one in spent if one.get(name)])
        }
        whole = sum(estimate_latency(groups, sampling).value for groups in by_name.values())
        own = [
            KernelRow(
                hardware=subject["hardware"],
                target=subject["target"],
                source=subject["source"],
                log=subject["log"],
                trials=int(subject["trials"]),
                method=method,
                kernel=name,
                **_figures(groups, kernels.get(name), whole, roofline, sampling=sampling),
            )
            for name, groups in by_name.items()
        ]
        rows += sorted(own, key=lambda row: (-(row.share_of_model or 0.0), row.kernel))
    return rows


def _by_kernel(
    functions: Mapping[str, float], kernels: Mapping[str, Mapping[str, str]]
) -> dict[str, float]:
    """Microseconds of each kernel in an inference."""
    spent: dict[str, float] = {}
    for function, time in functions.items():
        name = function if function in kernels else OTHER
        spent[name] = spent.get(name, 0.0) + time
    return spent


def _figures(
    groups: list[list[float]],
    kernel: Mapping[str, str] | None,
    whole: float,
    roofline: Roofline | None,
    *,
    sampling: Sampling,
) -> dict[str, Any]:
    """What a row says of a kernel's time."""
    spent = estimate_latency(groups, sampling)
    runs = int(kernel["weight"]) if kernel else 1
    found: dict[str, Any] = {
        "latency_us": round(spent.value / runs, 3),
        "share_of_model": round(spent.value / whole, 4),
    }
    if len(groups) > 1:  # a single process has no interval that would mean anything
        found["latency_us_low"] = round(spent.low / runs, 3)
        found["latency_us_high"] = round(spent.high / runs, 3)
    if kernel is None:
        return found
    found["runs"], found["kernel_class"] = runs, kernel["class"]
    flops, moved = float(kernel["flops"]), moved_bytes(kernel["shapes"], kernel["dtype"])
    each = spent.value / runs
    if flops:  # a transpose has none
        found["gflops"] = round(flops / each * 1e-3, 3)
    if roofline is None:
        return found
    least, found["bound"] = roofline.least_us(flops, moved)
    found["share_of_roof"] = round(least / each, 4)
    if flops:
        found["share_of_peak"] = round(flops / each * 1e-3 / roofline.gflops, 4)
    return found


def moved_bytes(shapes: str, dtype: str) -> float:
    """Bytes that a kernel has to read and write at least: its arguments, each once.

    Args:
        shapes: As the kernel table has them, such as ``1x64x56x56 scalar``.
        dtype: Of the elements.
    """
    elements = sum(
        1 if shape == "scalar" else math.prod(map(int, shape.split("x")))
        for shape in shapes.split()
    )
    return float(elements * np.dtype(dtype).itemsize)
