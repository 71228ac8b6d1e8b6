"""Time a loaded kernel, with its weights as a model would find them or with all caches warm."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from rivulet.hardware.cpu import last_level_cache_bytes
from rivulet.hardware.memory import aligned, aligned_block
from rivulet.hardware.place import CPU, Place
from rivulet.measure.values import argument_values, fill_argument
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import Argument, Call, argument_bytes
from rivulet.tvm_compat.intervals import Interval

# Weights smaller than this cost a run so little, wherever they are, that it cannot be measured.
_WORTH_COOLING = 64 * 1024
# Reading this many times the cache's size between two uses of a weight leaves nothing of it there.
_CACHES = 2
_PATTERN_BYTES = 2**20
# Arguments kept between candidates. Schedules pack the same weights in ever other shapes, so it
# is their size that has to be bounded and not their number.
_CACHED_BYTES = 128 * 2**20
_SEED = 0


class Timer(ABC):
    """Runs and times one kernel."""

    @abstractmethod
    def run(self) -> None:
        """One run."""

    @abstractmethod
    def samples(self, count: int) -> list[float]:
        """As many latency samples, in seconds."""

    def once(self) -> float:
        """Seconds of one run, roughly."""
        started = time.perf_counter()
        self.run()
        return time.perf_counter() - started


class _EvaluatorTimer(Timer):
    """TVM's own timer: every run has the same arguments, so all that fits the caches is there.

    It runs where the kernel does, also at the other end of a network, and knows when a GPU is done.
    """

    def __init__(
        self, place: Place, library: Any, tensors: list[Any], measure: dict[str, Any]
    ) -> None:
        self._place, self._library, self._tensors = place, library, tensors
        self._function, self._measure = library["main"], measure

    def run(self) -> None:
        self._function(*self._tensors)
        self._place.sync()

    def once(self) -> float:
        return super().once() if self._place.is_host_cpu else self._timed(1, 0, "")[0]

    def samples(self, count: int) -> list[float]:
        flush = self._measure["cache_flush"] and self._place.location.kind == CPU
        return self._timed(
            count,
            # Flushing happens before a sample, so with it each sample is one run.
            0 if flush else math.ceil(self._measure["min_repeat_ms"]),
            "cache_flush_cpu_non_first_arg" if flush else "",
        )

    def _timed(self, repeat: int, least_ms: int, before: str) -> list[float]:
        timer = self._library.time_evaluator(
            "main",
            self._place.device,
            number=1,
            repeat=repeat,
            min_repeat_ms=least_ms,
            f_preproc=before,
        )
        return [float(second) for second in timer(*self._tensors).results]


@dataclass
class _Pool:
    """Memory for the copies of weights.

    Attributes:
        array: Float32 numbers, beginning where TVM takes memory of others.
        read: Bytes of it that lie before what was read longest ago.
    """

    array: Any
    read: int = 0


class _RotatingTimer(Timer):
    """Every run has another copy of the weights, so many that none is in a cache when it returns.

    Timed from Python: calling a kernel costs about a microsecond, far below what reading weights
    worth cooling from memory takes.

    Args:
        library: Loaded module with the kernel ``main``.
        pool: Where the copies lie; kernels that are timed in turns share it, so that none finds
            what another has read a moment ago.
        size: Bytes of one copy.
        arguments: Gives the arguments with the copy that begins at a byte of the pool.
        shortest_ms: Shortest length of a sample.
    """

    def __init__(
        self,
        library: Any,
        pool: _Pool,
        size: int,
        arguments: Callable[[int], list[Any]],
        *,
        shortest_ms: float,
    ) -> None:
        self._function, self._pool, self._size = library["main"], pool, size
        self._copies = pool.array.nbytes // size
        self._arguments = cache(arguments)
        self._shortest = shortest_ms * 1e-3
        self._number = 0

    def run(self) -> None:
        self._timed(1)

    def samples(self, count: int) -> list[float]:
        if not self._number:
            once = self._timed(1)
            self._number = max(1, math.ceil(self._shortest / max(once, 1e-9)))
        return [self._timed(self._number) for _ in range(count)]

    def _timed(self, number: int) -> float:
        """Seconds of one of ``number`` runs in a row."""
        function, first = self._function, -(-self._pool.read // self._size)
        places = [(first + i) % self._copies for i in range(number)]
        chosen = [self._arguments(place * self._size) for place in places]
        started = time.perf_counter()
        for tensors in chosen:
            function(*tensors)
        seconds = (time.perf_counter() - started) / number
        self._pool.read = (places[-1] + 1) * self._size
        return seconds


class Tensors:
    """The arguments that kernels are timed with, kept from one candidate to the next.

    Args:
        place: Where kernels run. Weights can be kept cold on this machine's CPU only, whose caches
            are known and whose memory is at hand: elsewhere all is warm.
        model_weights: Bytes of weights that the model reads between two runs of a kernel; None
            for more than any cache holds.
    """

    def __init__(self, place: Place, model_weights: int | None = None) -> None:
        self._place, self._model_weights = place, model_weights
        # What a kernel has written is no input of another: it may be an index out of all bounds.
        self._kept: dict[tuple[int, Argument, Interval, bool], Any] = {}
        self._pool: _Pool | None = None

    def clear(self) -> None:
        """Give the memory back."""
        self._kept.clear()
        self._pool = None

    def timer(self, library: Any, call: Call, measure: dict[str, Any]) -> Timer:
        """A timer for a kernel.

        Args:
            library: Loaded module with the kernel ``main``.
            call: What it is called with.
            measure: The config's ``measure`` settings.
        """
        args = call.args
        if sum(argument_bytes(kept) for _, kept, *_ in self._kept) > _CACHED_BYTES:
            self._kept.clear()
        cold = [i for i in call.weights if args[i][1] == "float32" and _suits_pool(call, i)]
        size = sum(aligned(argument_bytes(args[i])) for i in cold)
        cooled = measure["cold_weights"] and not measure["cache_flush"] and self._place.is_host_cpu
        if not cooled or size < _WORTH_COOLING:
            tensors = [self._filled(call, i) for i in range(len(args))]
            return _EvaluatorTimer(self._place, library, tensors, measure)
        common = {i: self._filled(call, i) for i in range(len(args)) if i not in cold}
        pool = self._pool_of(size)

        def arguments(begin: int) -> list[Any]:
            views = self._views(pool.array, begin, {i: args[i] for i in cold})
            return [(common | views)[i] for i in range(len(args))]

        return _RotatingTimer(library, pool, size, arguments, shortest_ms=measure["min_repeat_ms"])

    def _pool_of(self, size: int) -> _Pool:
        """A pool that holds ``size`` bytes, and what the model reads between two uses of them."""
        import numpy as np

        beyond_caches = _CACHES * last_level_cache_bytes()
        model = beyond_caches if self._model_weights is None else self._model_weights
        wanted = max(size, min(model, beyond_caches))
        if self._pool is None or self._pool.array.nbytes < wanted:
            self._pool = None  # before the new one is made: they need not fit beside each other
            array = aligned_block(wanted // 4 * 4).view(np.float32)
            pattern = np.random.default_rng(0).random(_PATTERN_BYTES // 4, np.float32)
            for begin in range(0, array.size, pattern.size):
                part = array[begin : begin + pattern.size]
                part[:] = pattern[: part.size]
            self._pool = _Pool(array)
        return self._pool

    def _views(self, array: Any, begin: int, wanted: dict[int, Argument]) -> dict[int, Any]:
        """Tensors side by side in the pool, from a byte on, which share its memory."""
        views = {}
        for position, argument in wanted.items():
            part = array[begin // 4 : (begin + argument_bytes(argument)) // 4]
            views[position] = load_tvm().runtime.from_dlpack(part.reshape(argument[0]))
            begin += aligned(argument_bytes(argument))
        return views

    def _filled(self, call: Call, position: int) -> Any:
        """A tensor with values that suit an argument; filling it costs more than a run."""
        shape, dtype = call.args[position]
        is_output = position in call.written
        key = (position, (tuple(shape), dtype), call.range_of(position), is_output)
        if key not in self._kept:
            self._kept[key] = self._made(call, position)
        return self._kept[key]

    def _made(self, call: Call, position: int) -> Any:
        shape, dtype = call.args[position]
        if self._place.is_host_cpu:
            import numpy as np

            # Drawn where it lies: a large argument need not fit into the memory twice.
            tensor = load_tvm().runtime.empty(shape, dtype, self._place.device)
            fill_argument(np.from_dlpack(tensor), call, position, _SEED)
            return tensor
        if self._place.location.is_here or "float" not in dtype or not call.is_plain(position):
            return self._place.tensor(argument_values(call, position, _SEED))
        return self._place.filled(shape, dtype)  # there, for the network's sake


def _suits_pool(call: Call, position: int) -> bool:
    """Whether an argument may have numbers between 0 and 1, of which the pool is made."""
    return call.is_plain(position)
