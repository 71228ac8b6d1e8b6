"""What a machine can do at most: floating-point operations and memory traffic per second.

The two roofs under which every kernel runs (Williams, Waterman and Patterson, "Roofline: An
Insightful Visual Performance Model", Communications of the ACM 52(4), 2009). Both are measured with
the threads and the target that kernels are compiled for, by code that does nothing else: chains of
fused multiply-adds that stay in registers, and the triad of McCalpin's STREAM on arrays that fit no
cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.hardware.cpu import last_level_cache_bytes
from rivulet.hardware.vectors import VectorRegisters, vector_registers
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
    """

    def __init__(self, target: Any, threads: int) -> None:
        tvm = load_tvm()
        lanes = (vector_registers(target) or _UNKNOWN).bytes // 4
        steps = _PROBE_STEPS * _UNROLLED
        self._function = _built(_chains(threads, lanes, steps), target)
        self._values = tvm.runtime.tensor(np.zeros((threads, _CHAINS * lanes), np.float32))
        self._operations = 2.0 * threads * _CHAINS * lanes * steps

    def gflops(self) -> float:
        """Operations per nanosecond now: the median of a few samples."""
        self._function(self._values)
        spent = []
        for _ in range(_PROBE_SAMPLES):
            begin = time.perf_counter()
            self._function(self._values)
            spent.append(time.perf_counter() - begin)
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
    target: Any, threads: int, repeats: int, report: Callable[[int, str], None]
) -> list[RoofRow]:
    """Measure both roofs in this process.

    Args:
        target: TVM target.
        threads: Threads of TVM's pool.
        repeats: Samples of each.
        report: Told the roofs done and what was found.
    """
    rows = []
    for number, (roof, unit, measure) in enumerate(
        ((COMPUTE, "GFLOP/s", _compute), (BANDWIDTH, "GB/s", _bandwidth)), 1
    ):
        rates = [rate * 1e-9 for rate in measure(target, threads, repeats)]
        row = RoofRow(
            roof, unit, round(max(rates), 3), round(median(rates), 3), len(rates), threads
        )
        rows.append(row)
        report(number, f"{roof}: {row.peak:g} {unit} at most, median {row.median:g}")
    return rows


def _compute(target: Any, threads: int, repeats: int) -> list[float]:
    """Operations per second of each sample."""
    tvm = load_tvm()
    registers = vector_registers(target) or _UNKNOWN
    lanes = registers.bytes // 4
    width = _CHAINS * lanes
    steps = 1000 * _UNROLLED
    function = _built(_chains(threads, lanes, steps), target)
    values = tvm.runtime.tensor(np.zeros((threads, width), np.float32))
    operations = 2.0 * threads * width * steps
    once = _best_of(lambda: function(values), 3)
    runs = max(1, round(_FLOPS_SECONDS / once))
    rates = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(runs):
            function(values)
        rates.append(operations * runs / (time.perf_counter() - begin))
    return rates


def _bandwidth(target: Any, threads: int, repeats: int) -> list[float]:
    """Bytes per second of each sample; two arrays are read and one is written."""
    tvm = load_tvm()
    whole = min(_CACHES * last_level_cache_bytes(), _MOST_BYTES)
    share = max(1024, whole // 3 // 4 // threads // 1024 * 1024)
    function = _built(_triad(threads, share), target)
    arrays = [
        tvm.runtime.tensor(np.full((threads, share), value, np.float32)) for value in (1, 2, 0)
    ]
    function(*arrays)
    rates = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function(*arrays)
        rates.append(3.0 * 4 * threads * share / (time.perf_counter() - begin))
    return rates


def _best_of(work: Callable[[], Any], times: int) -> float:
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def _built(function: Any, target: Any) -> Any:
    tvm = load_tvm()
    return tvm.compile(tvm.IRModule({"main": function}), target)["main"]


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
