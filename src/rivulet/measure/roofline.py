"""What a machine can do at most: floating-point operations and memory traffic per second.

The two roofs under which every kernel runs (Williams, Waterman and Patterson, "Roofline: An
Insightful Visual Performance Model", Communications of the ACM 52(4), 2009). Both are measured with
the threads and the target that kernels are compiled for, by code that does nothing else: chains of
fused multiply-adds that stay in registers, and the triad of McCalpin's STREAM on arrays that fit no
cache.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.hardware.cpu import last_level_cache_bytes
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import CPU, HERE, Place
from rivulet.hardware.vectors import VectorRegisters, vector_registers
from rivulet.measure.gpu_roofline import gpu_bandwidth, gpu_operations
from rivulet.measure.linking import link_module
from rivulet.measure.statistics import median
from rivulet.tvm_compat import load_tvm

COMPUTE, BANDWIDTH = "compute", "bandwidth"
# Two units with a latency of four or five cycles each are busy with ten chains; registers for two
# more values have to be left.
_CHAINS = 12
_UNKNOWN = VectorRegisters(16, 16)
_UNROLLED = 32  # steps between two stores of a chain
_PROBE_STEPS, _PROBE_SAMPLES = 20_000, 11  # a millisecond or more each
_FLOPS_SECONDS = 0.02  # length of a sample
_CACHES = 4  # arrays of the triad together, in sizes of the largest cache
_MOST_BYTES = 3 * 2**30


class SpeedProbe:
    """How fast is the machine at this moment? Some milliseconds of work that never changes.

    A virtual machine may run at two thirds of its speed for minutes, with nothing in its own
    counters to show for it.

    Args:
        target: TVM target.
        threads: Threads of TVM's pool.
        place: Where the code runs; this machine's CPU by default.
    """

    def __init__(self, target: Any, threads: int, place: Place | None = None) -> None:
        place = place or open_place(HERE)
        lanes = (vector_registers(target) or _UNKNOWN).bytes // 4
        steps = _PROBE_STEPS * _UNROLLED
        values = place.tensor(np.zeros((threads, _CHAINS * lanes), np.float32))
        self._program = _Program(_chains(threads, lanes, steps), target, place, [values])
        self._operations = 2.0 * threads * _CHAINS * lanes * steps

    def gflops(self) -> float:
        """Operations per nanosecond now: the median of a few samples."""
        self._program.seconds(1)
        spent = [self._program.seconds(1) for _ in range(_PROBE_SAMPLES)]
        return self._operations / median(spent) * 1e-9


@dataclass(frozen=True)
class RoofRow:
    """One roof.

    Attributes:
        roof: ``compute`` or ``bandwidth``.
        unit: ``GFLOP/s`` or ``GB/s``.
        peak: Best sample: what disturbs a measurement of this kind can only slow it down.
        median: Median sample.
        samples: How many were taken.
        threads: Threads that ran.
    """

    roof: str
    unit: str
    peak: float
    median: float
    samples: int
    threads: int


def measure_roofline(
    target: Any,
    threads: int,
    repeats: int,
    report: Callable[[int, str], None],
    *,
    place: Place | None = None,
) -> list[RoofRow]:
    """Measure both roofs of a CPU, or of a GPU (`rivulet.measure.gpu_roofline`).

    Args:
        target: TVM target.
        threads: Threads of TVM's pool.
        repeats: Samples of each.
        report: Told the roofs done and what was found.
        place: Where the code runs; this machine's CPU by default.

    Returns:
        Both.
    """
    place = place or open_place(HERE)
    compute: Callable[[], list[float]] = partial(_compute, target, threads, repeats, place)
    bandwidth: Callable[[], list[float]] = partial(_bandwidth, target, threads, repeats, place)
    if place.location.kind != CPU:
        compute = partial(gpu_operations, target, repeats, place)
        bandwidth = partial(gpu_bandwidth, target, repeats, place)
    rows = []
    for number, (roof, unit, measure) in enumerate(
        ((COMPUTE, "GFLOP/s", compute), (BANDWIDTH, "GB/s", bandwidth)), 1
    ):
        rates = [rate * 1e-9 for rate in measure()]
        row = RoofRow(
            roof=roof,
            unit=unit,
            peak=round(max(rates), 3),
            median=round(median(rates), 3),
            samples=len(rates),
            threads=threads,
        )
        rows.append(row)
        report(number, f"{roof}: {row.peak:g} {unit} at most, median {row.median:g}")
    return rows


def _compute(target: Any, threads: int, repeats: int, place: Place) -> list[float]:
    """Operations per second of each sample."""
    registers = vector_registers(target) or _UNKNOWN
    lanes = registers.bytes // 4
    width = _CHAINS * lanes
    steps = 1000 * _UNROLLED
    values = place.tensor(np.zeros((threads, width), np.float32))
    program = _Program(_chains(threads, lanes, steps), target, place, [values])
    operations = 2.0 * threads * width * steps
    once = min(program.seconds(1) for _ in range(3))
    runs = max(1, round(_FLOPS_SECONDS / once))
    return [operations / program.seconds(runs) for _ in range(repeats)]


def _bandwidth(target: Any, threads: int, repeats: int, place: Place) -> list[float]:
    """Bytes per second of each sample; two arrays are read and one is written.

    A device elsewhere is taken to have caches no larger than this machine's.
    """
    whole = min(_CACHES * last_level_cache_bytes(), _MOST_BYTES)
    share = max(1024, whole // 3 // 4 // threads // 1024 * 1024)
    arrays = [place.tensor(np.full((threads, share), value, np.float32)) for value in (1, 2, 0)]
    program = _Program(_triad(threads, share), target, place, arrays)
    program.seconds(1)
    return [3.0 * 4 * threads * share / program.seconds(1) for _ in range(repeats)]


class _Program:
    """A compiled function at a place, with its arguments."""

    def __init__(self, function: Any, target: Any, place: Place, arguments: list[Any]) -> None:
        tvm = load_tvm()
        self._place, self._arguments = place, arguments
        module = tvm.IRModule({"main": function})
        connection = place.location.connection
        if connection is None:
            self._function = tvm.compile(module, target)["main"]
            return
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "program.so"
            link_module(tvm.driver.build(module, target=target), library, connection.compiler)
            self._library = place.load(library)

    def seconds(self, runs: int) -> float:
        """Seconds of one of some runs in a row."""
        if not self._place.location.is_here:
            timer = self._library.time_evaluator("main", self._place.device, number=runs, repeat=1)
            return float(timer(*self._arguments).mean)
        begin = time.perf_counter()
        for _ in range(runs):
            self._function(*self._arguments)
        return (time.perf_counter() - begin) / runs


def _chains(threads: int, lanes: int, steps: int) -> Any:
    """``x = 0.999 * x + 0.001``, again and again, on as many vectors as keep the units busy.

    TVM puts the vectors in memory of its own. Within a body that is unrolled LLVM keeps them in
    registers, and stores them once.
    """
    load_tvm()
    from tvm.script import tirx as T

    width = _CHAINS * lanes

    @T.prim_func(private=True)  # type: ignore[untyped-decorator]
    def chains(  # type: ignore[no-untyped-def]
        values: T.Buffer((threads, width), "float32"),  # type: ignore[valid-type]
    ):
        for thread in T.parallel(threads):
            for _ in T.serial(steps // _UNROLLED):
                for _ in T.unroll(_UNROLLED):
                    for chain in T.unroll(_CHAINS):
                        for lane in T.vectorized(lanes):
                            values[thread, chain * lanes + lane] = values[
                                thread, chain * lanes + lane
                            ] * T.float32(0.999) + T.float32(0.001)

    return chains.with_attr("global_symbol", "main")


def _triad(threads: int, share: int) -> Any:
    """``c = a + 0.5 * b``, each thread on its own part."""
    load_tvm()
    from tvm.script import tirx as T

    lanes = 16

    @T.prim_func(private=True)  # type: ignore[untyped-decorator]
    def triad(  # type: ignore[no-untyped-def]
        a: T.Buffer((threads, share), "float32"),  # type: ignore[valid-type]
        b: T.Buffer((threads, share), "float32"),  # type: ignore[valid-type]
        c: T.Buffer((threads, share), "float32"),  # type: ignore[valid-type]
    ):
        for thread in T.parallel(threads):
            for block in T.serial(share // lanes):
                for lane in T.vectorized(lanes):
                    c[thread, block * lanes + lane] = a[thread, block * lanes + lane] + b[
                        thread, block * lanes + lane
                    ] * T.float32(0.5)

    return triad.with_attr("global_symbol", "main")
