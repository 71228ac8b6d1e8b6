"""A made-up machine: latencies worked out from loops, so that a search needs no device at all.

The figures are no prediction of any real latency. What they share with real ones is what makes
a search hard: they reward vectorised, parallel and unrolled loops and reuse within the caches,
each with diminishing returns and against each other, and they are rough between neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.tvm_compat.features import BufferAccess, Store, kernel_stores
from rivulet.tvm_compat.names import candidate_name

_CALL_SECONDS = 5e-7
_LANES = 8
_OPERATIONS_PER_SECOND = 5e9  # of one core and one lane
_LOOP_OVERHEAD = 0.5  # of an operation's time, for each operation in a loop that is not unrolled
_DEEPEST_UNROLLING = 64.0
_SPILLED_UNROLLING = 512.0  # beyond it the code no longer fits the instruction cache
_LINE_BYTES = 64
_CACHES = ((32 * 1024, 2e11), (512 * 1024, 6e10), (16 * 1024**2, 3e10))  # bytes, bytes per second
_MEMORY_BYTES_PER_SECOND = 1e10


@dataclass(frozen=True)
class LoopSurrogate:
    """Latency of a scheduled kernel by a roofline over its stores, without building it.

    Each store costs the larger of its arithmetic (after vectorising, unrolling and spreading
    over threads) and its traffic (from the cache that holds what is touched between two uses).
    The sum is multiplied by a random factor that belongs to the code: the same module has the
    same latency in every process, under the same seed.

    Attributes:
        target: ``tvm.target.Target`` that the kernels are scheduled for.
        threads: Threads that parallel loops spread over.
        seed: Seed of the random factors.
        roughness: Standard deviation of their logarithm.
    """

    target: Any
    threads: int
    seed: int = 0
    roughness: float = 0.1

    def __call__(self, module: Any) -> float:
        """Seconds of one run of a scheduled module; infinite where TVM cannot tell its loops."""
        stores = kernel_stores(module, self.target)
        if not stores:
            return math.inf
        seconds = _CALL_SECONDS + sum(self._store_seconds(store) for store in stores)
        generator = np.random.default_rng([self.seed, int(candidate_name(module), 16)])
        return float(seconds * np.exp(self.roughness * generator.standard_normal()))

    def _store_seconds(self, store: Store) -> float:
        rounds = math.ceil(store.parallel / self.threads)
        cores = max(1.0, store.parallel / rounds)
        contiguous = all(buffer.stride <= 1 for buffer in store.buffers)
        lanes = min(store.vector, _LANES if contiguous else 2)
        depth = min(store.unrolled, _DEEPEST_UNROLLING)
        overhead = _LOOP_OVERHEAD / depth
        if store.unrolled > _SPILLED_UNROLLING:
            overhead += _LOOP_OVERHEAD
        arithmetic = store.operations * (1 + overhead) / (lanes * _OPERATIONS_PER_SECOND)
        traffic = sum(_traffic_seconds(buffer) for buffer in store.buffers)
        return max(arithmetic, traffic) / cores


def _traffic_seconds(buffer: BufferAccess) -> float:
    first = buffer.unique_bytes / _MEMORY_BYTES_PER_SECOND
    again = max(0.0, buffer.lines * _LINE_BYTES - buffer.unique_bytes)
    for size, bytes_per_second in _CACHES:
        if buffer.reuse_bytes <= size:
            return first + again / bytes_per_second
    return first + again / _MEMORY_BYTES_PER_SECOND
