"""A process that builds and runs kernels, so that a bad one takes only this process with it.

Run as ``python -m rivulet.measure.worker THREADS MEMORY LOCATION CPUS [WEIGHTS]``, in bytes: the
memory that requests may take, and the weights of the model that the kernels belong to; the location
is where kernels run, as JSON, and the CPUs are numbers with commas, or nothing for those that it
inherits. Requests come on standard input, replies go to what was standard output at the start; both
are pickles, each after its length in eight bytes.
"""

from __future__ import annotations

import math
import os
import pickle
import sys
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from rivulet.errors import UserError, last_line
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import CPU, Location, Place, PlaceUnreachable
from rivulet.kinship import end_with_parent
from rivulet.measure.linking import export_library, link_module
from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.statistics import median
from rivulet.measure.timing import Tensors
from rivulet.measure.values import argument_values
from rivulet.tvm_compat.arguments import Call
from rivulet.tvm_compat.gpu_defaults import with_default_threads
from rivulet.tvm_compat.targets import is_gpu
from rivulet.tvm_compat.weights import with_packed_weights

LENGTH_BYTES = 8
OK, ERROR, OUT_OF_MEMORY = "ok", "error", "out of memory"
UNREACHABLE, LOST = "unreachable", "lost"  # a place over RPC: nobody is there, or no longer
CONFIGURATION = "configuration"
BROKEN = "broken"  # an error like any other, after which this process can use its GPU no more
# Python's, the C++ library's, the operating system's and LLVM's ways to say it.
_MEMORY_SIGNS = ("MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory")


def read_message(stream: BinaryIO) -> Any:
    """Read one message; EOFError when the other side is gone."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        raise EOFError
    return pickle.loads(stream.read(int.from_bytes(head, "little")))


def write_message(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    stream.write(len(data).to_bytes(LENGTH_BYTES, "little") + data)
    stream.flush()


class Kernels:
    """The operations that a worker offers; each public method is one."""

    def __init__(self, threads: int, location: Location, model_weights: int | None = None) -> None:
        from rivulet.tvm_compat import load_tvm

        self._cpus = os.sched_getaffinity(0)
        self._tvm = load_tvm(threads)
        self.location, self._model_weights = location, model_weights
        self._place: Place | None = None
        self._kept: Tensors | None = None

    def ping(self) -> int:
        """Threads that kernels run on here."""
        return int(self._tvm.get_global_func("runtime.NumThreads")())

    def prepare(self) -> None:
        """Let a GPU's driver take the memory of this machine that it needs beside any kernel.

        Raises:
            UserError: There is no such GPU.
        """
        if self.location.is_here and self.location.kind != CPU:
            self._at().filled((1,), "float32")

    def open(self, wait: float, needed: float) -> None:
        """Go to where kernels run, or stay there.

        Args:
            wait: Seconds to wait for a free device over RPC.
            needed: Seconds for which it will be needed; a session that ends sooner is renewed.

        Raises:
            PlaceUnreachable: There is none.
        """
        if self._place is not None and self._place.seconds_left() < needed:
            self.leave()
        if self._place is None:
            self._place = open_place(self.location, wait)
            self._kept = Tensors(self._place, self._model_weights)

    def leave(self) -> None:
        """Leave the place, with all that is loaded there."""
        if self._place is not None:
            self._place.close()
        self._kept = self._place = None

    @property
    def runs_here(self) -> bool:
        """Whether kernels run in this machine."""
        return self.location.is_here

    def is_lost(self) -> bool:
        """Whether there was a session and nobody answers in it any more."""
        return self._place is not None and not self._place.alive()

    def _at(self) -> Place:
        if self._place is None:
            self.open(math.inf, 0)
        assert self._place is not None
        return self._place

    @property
    def _tensors(self) -> Tensors:
        self._at()
        assert self._kept is not None
        return self._kept

    def build(self, module: Any, target: Any, path: str, whole: bool) -> float:
        """Compile a scheduled module to a shared library; return the seconds taken.

        Args:
            module: An ``IRModule`` with one function, ``main``.
            target: ``tvm.target.Target``.
            path: Library to write.
            whole: Keep the weights' layout rewrite inside the kernel, so that it takes the
                arguments of the unscheduled one. Off for timing: weights are packed once,
                before inference.
        """
        from tvm.driver import build as tvm_build

        # TVM's pool pins this thread when it runs kernels on one thread only, always to the same
        # core: all builders would share it.
        os.sched_setaffinity(0, self._cpus)
        started = time.perf_counter()
        if not whole:
            module = with_packed_weights(module)
        at = self.location.connection
        linker = at.compiler if at is not None else ""
        if is_gpu(target):
            with target:
                built = tvm_build(with_default_threads(module, target), target=target)
            export_library(built, path, linker)
        else:
            link_module(tvm_build(module, target=target), Path(path), linker)
        return time.perf_counter() - started

    def time(
        self,
        path: str,
        call: Call,
        measure: dict[str, Any],
        slow_above: float | None,
        fast_below: float | None = None,
    ) -> list[float]:
        """Latency samples of a kernel, in seconds.

        Args:
            path: Library with the kernel ``main``.
            call: Its arguments.
            measure: The config's ``measure`` settings.
            slow_above: Seconds above which the second run is the only sample; None for never.
            fast_below: Median in seconds below which it gets more samples; None for never.
        """
        timer = self._tensors.timer(self._at().load(path), call, measure)
        timer.run()
        if slow_above is not None:
            once = timer.once()
            if once > slow_above:
                return [once]
        for _ in range(measure["warmup_runs"] - 1):
            timer.run()
        samples = timer.samples(measure["repeats"])
        more = measure["winner_repeats"]
        if more and fast_below is not None and median(samples) < fast_below:
            samples += timer.samples(more)
        return samples

    def time_interleaved(
        self,
        kernels: list[tuple[str, Call]],
        measure: dict[str, Any],
        rounds: int,
        seed: int,
    ) -> list[list[float]]:
        """Samples of several kernels, one of each per round, in a new order each round."""
        import random

        shuffle = random.Random(seed).shuffle
        timers = []
        for path, call in kernels:
            timer = self._tensors.timer(self._at().load(path), call, measure)
            for _ in range(max(1, measure["warmup_runs"])):
                timer.run()
            timers.append(timer)
        samples: list[list[float]] = [[] for _ in kernels]
        order = list(range(len(kernels)))
        for _ in range(rounds):
            shuffle(order)
            for index in order:
                samples[index] += timers[index].samples(1)
        return samples

    def compare(self, first: str, second: str, call: Call, seed: int) -> tuple[float, float, float]:
        """Largest relative difference of two kernels' arguments after one run, and its seconds.

        Both run on the same seeded random inputs; the arrays stay in this process, because
        sending them costs more than computing them.
        """
        arrays = [argument_values(call, i, seed) for i in range(len(call.args))]
        self._tensors.clear()  # their memory is needed here
        (ours, seconds), (theirs, reference) = (self._run(path, arrays) for path in (first, second))
        return largest_relative_error(ours, theirs), seconds, reference

    def _run(self, path: str, arrays: list[Any]) -> tuple[list[Any], float]:
        """A kernel's arguments after one run on copies of ``arrays``, and seconds of the run."""
        place = self._at()
        tensors = [place.tensor(array) for array in arrays]
        kernel = place.load(path)["main"]
        begin = time.perf_counter()
        kernel(*tensors)
        place.sync()
        seconds = time.perf_counter() - begin
        return [tensor.numpy() for tensor in tensors], seconds


def main() -> None:
    """Serve requests until standard input ends."""
    end_with_parent()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up between replies
    requests = sys.stdin.buffer
    threads, memory, location, cpus, *weights = sys.argv[1:]
    if cpus:
        os.sched_setaffinity(0, map(int, cpus.split(",")))
    kernels = Kernels(int(threads), Location.from_json(location), *map(int, weights))
    try:
        kernels.prepare()
    except UserError as error:
        read_message(requests)
        write_message(replies, (CONFIGURATION, str(error)))
        return
    _bound_memory(int(memory))
    while True:
        try:
            name, arguments = read_message(requests)
        except EOFError:
            return
        try:
            write_message(replies, (OK, getattr(kernels, name)(*arguments)))
        except PlaceUnreachable as error:
            write_message(replies, (UNREACHABLE, str(error)))
        except Exception as error:
            traceback.print_exc()
            said = f"{type(error).__name__}: {last_line(error)}"
            write_message(replies, (_kind(error, kernels), said))


def _kind(error: Exception, kernels: Kernels) -> str:
    if isinstance(error, UserError):
        return CONFIGURATION
    if kernels.is_lost():
        if kernels.location.is_here:
            return BROKEN
        kernels.leave()
        return LOST
    # A device elsewhere has a memory of its own, which is not bounded here.
    return OUT_OF_MEMORY if kernels.runs_here and tells_of_memory(repr(error)) else ERROR


def tells_of_memory(text: str) -> bool:
    """Does an error, or what a process printed before it died, say that memory ran out?"""
    return any(sign in text for sign in _MEMORY_SIGNS)


def _bound_memory(size: int) -> None:
    """Let this process take ``size`` bytes more than it has, and write no longer file either.

    The bound is on writable private memory, and relative to what is mapped by now: libraries
    and idle threads' stacks take gigabytes of address space on a machine with many cores.
    """
    import resource

    status = Path("/proc/self/status").read_text()
    (mapped,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmData:"))
    limit = int(mapped) * 1024 + size
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
