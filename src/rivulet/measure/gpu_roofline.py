"""The two roofs of a GPU: chains of multiply-adds in registers, and a triad over its memory.

As on CPUs (`rivulet.measure.roofline`), by code that does nothing else, timed by the device's own
events.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.hardware.place import Place
from rivulet.measure.linking import export_library
from rivulet.tvm_compat import load_tvm

THREADS = 256
# Independent chains of a thread, and blocks of threads for each multiprocessor: together they hide
# the latency of a multiply-add several times over.
CHAINS = 8
BLOCKS_PER_MULTIPROCESSOR = 32
STEPS = 4096
_UNROLLED = 16
_LANES = 4  # floats of one access, the widest there is
TRIAD_FLOATS = 64 * 2**20  # of one array: three of them are beyond any cache
_LEAST_MS = 20


def gpu_operations(target: Any, repeats: int, place: Place) -> list[float]:
    """Floating-point operations per second of each sample.

    Args:
        target: TVM target of the GPU.
        repeats: Samples.
        place: The GPU.
    """
    blocks = BLOCKS_PER_MULTIPROCESSOR * int(place.device.multi_processor_count)
    values = place.tensor(np.zeros((blocks, THREADS), np.float32))
    seconds = _timed(chains(blocks, STEPS), target, repeats, place, arguments=[values])
    operations = 2.0 * blocks * THREADS * CHAINS * STEPS
    return [operations / second for second in seconds]


def gpu_bandwidth(target: Any, repeats: int, place: Place) -> list[float]:
    """Bytes per second of each sample; two arrays are read and one is written.

    Args: As for `gpu_operations`.
    """
    arrays = [place.tensor(np.full(TRIAD_FLOATS, value, np.float32)) for value in (1, 2, 0)]
    seconds = _timed(triad(TRIAD_FLOATS), target, repeats, place, arguments=arrays)
    return [3.0 * 4 * TRIAD_FLOATS / second for second in seconds]


def _timed(
    function: Any, target: Any, repeats: int, place: Place, *, arguments: list[Any]
) -> list[float]:
    tvm = load_tvm()
    connection = place.location.connection
    with target:
        built = tvm.compile(tvm.IRModule({"main": function}), target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roof.so"
        export_library(built, path, connection.compiler if connection is not None else "")
        library = place.load(path)
    library["main"](*arguments)
    place.sync()
    timer = library.time_evaluator(
        "main", place.device, number=1, repeat=repeats, min_repeat_ms=_LEAST_MS
    )
    return [float(second) for second in timer(*arguments).results]


def chains(blocks: int, steps: int) -> Any:
    """``x = 0.999 * x + 0.001``, again and again, on values that stay in registers.

    Args:
        blocks: Blocks of `THREADS` threads.
        steps: Steps of each of a thread's `CHAINS` chains.
    """
    load_tvm()
    from tvm.script import tirx as T

    @T.prim_func(private=True)  # type: ignore[untyped-decorator]
    def chains(  # type: ignore[no-untyped-def]
        values: T.Buffer((blocks, THREADS), "float32"),  # type: ignore[valid-type]
    ):
        for block in T.thread_binding(blocks, thread="blockIdx.x"):
            for thread in T.thread_binding(THREADS, thread="threadIdx.x"):
                own = T.alloc_buffer((CHAINS,), "float32", scope="local")
                for chain in T.unroll(CHAINS):
                    own[chain] = values[block, thread] + T.Cast("float32", chain)
                for _ in T.serial(steps // _UNROLLED):
                    for _ in T.unroll(_UNROLLED):
                        for chain in T.unroll(CHAINS):
                            own[chain] = own[chain] * T.float32(0.999) + T.float32(0.001)
                for chain in T.unroll(CHAINS):
                    values[block, thread] = values[block, thread] + own[chain]

    return chains.with_attr("global_symbol", "main")


def triad(floats: int) -> Any:
    """``c = a + 0.5 * b``, neighbouring threads on neighbouring values.

    Args:
        floats: Length of each array.
    """
    load_tvm()
    from tvm.script import tirx as T

    blocks = floats // (THREADS * _LANES)

    @T.prim_func(private=True)  # type: ignore[untyped-decorator]
    def triad(  # type: ignore[no-untyped-def]
        a: T.Buffer((floats,), "float32"),  # type: ignore[valid-type]
        b: T.Buffer((floats,), "float32"),  # type: ignore[valid-type]
        c: T.Buffer((floats,), "float32"),  # type: ignore[valid-type]
    ):
        for block in T.thread_binding(blocks, thread="blockIdx.x"):
            for thread in T.thread_binding(THREADS, thread="threadIdx.x"):
                for lane in T.vectorized(_LANES):
                    at = T.meta_var((block * THREADS + thread) * _LANES + lane)
                    c[at] = a[at] + b[at] * T.float32(0.5)

    return triad.with_attr("global_symbol", "main")
