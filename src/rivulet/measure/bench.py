"""The measuring bench: strategies propose scheduled kernels, the bench builds and times them."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rivulet.errors import last_line
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.place import HERE, Location
from rivulet.measure.pool import Worker
from rivulet.measure.protocol import (
    Comparison,
    Measurement,
    MeasuringBench,
    WorkerFailure,
    logged_seconds,
)
from rivulet.measure.runners import Ask, make_runners
from rivulet.tvm_compat import given_cpus
from rivulet.tvm_compat.arguments import Call, kernel_call
from rivulet.tvm_compat.names import candidate_name

_KEPT = 1024  # libraries of candidates that may be measured again; a fifth of a second each


@dataclass(frozen=True)
class _Built:
    path: Path
    call: Call
    seconds: float
    error: str = ""
    kept: bool = False

    def remove(self) -> None:
        """Remove what the build has left, also where it failed half-way; not if it is kept."""
        if self.kept:
            return
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".o").unlink(missing_ok=True)


class Bench(MeasuringBench):
    """Builds candidates side by side, then times them one at a time on each device.

    Building never overlaps timing: the builders are idle while a kernel runs, so that no
    measurement shares the device.

    Args:
        target: ``tvm.target.Target`` to compile for.
        threads: Threads that kernels run on.
        measure: The config's ``measure`` settings.
        scratch: Folder for libraries; each is removed once it was timed.
        model_weights: Bytes of the model's weights, which decide how cold a kernel finds its own:
            in a model that fits the caches they are warm. None for a model that fits no cache.
        keep_built: Keep the libraries of candidates for when they are measured again, the last
            thousand of them.
        location: Where kernels run; they are built here in any case.
    """

    def __init__(
        self,
        target: Any,
        threads: int,
        measure: dict[str, Any],
        scratch: Path,
        *,
        model_weights: int | None = None,
        keep_built: bool = False,
        location: Location = HERE,
    ) -> None:
        self._target, self._measure, self._scratch = target, measure, scratch
        count = measure["build_workers"]
        if count == "auto":
            count = threads if location.is_here else usable_cpus()
        threads_here = threads if location.is_here else 1
        lifetime = measure["worker_max_uses"], measure["worker_memory_gib"]
        builds_at = HERE if location.is_here else location  # nothing runs where it is built
        cpus = given_cpus()
        self._builders = [
            Worker(threads_here, *lifetime, location=builds_at, cpus=cpus) for _ in range(count)
        ]
        self._runners = make_runners(
            location,
            lambda: Worker(threads_here, *lifetime, model_weights, location=location, cpus=cpus),
        )
        self._names = itertools.count()
        self._kept: dict[str, _Built] | None = {} if keep_built else None
        # One pool for the bench's life: Linux ends a worker with the thread that started it.
        self._threads = ThreadPoolExecutor(len(self._builders))

    def __enter__(self) -> Bench:
        """Start the workers while the caller prepares its first candidates."""
        for process in self._builders:
            process.start()
        self._runners.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        # A batch may be in flight when the job was asked to end: do not wait for its builds.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._builders:
            process.retire()
        self._runners.retire()
        self._threads.shutdown()
        for built in (self._kept or {}).values():
            replace(built, kept=False).remove()

    @property
    def runner_pids(self) -> list[int | None]:
        """Numbers of the processes that run kernels; None for one that does not run now."""
        return self._runners.pids

    def measure(
        self,
        modules: Sequence[Any],
        best: Mapping[Hashable, float] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[Measurement]:
        """Build and time scheduled modules, as `MeasuringBench` says."""
        fastest = dict(best or {})
        groups = groups or [0] * len(modules)
        built = self._build(modules)
        results: dict[int, Measurement] = {}

        def time_one(number: int, ask: Ask) -> None:
            group = groups[number]
            result = self._time(built[number], fastest.get(group), ask)
            fastest[group] = min(result.latency, fastest.get(group, float("inf")))
            results[number] = result
            built[number].remove()

        self._runners.each(len(built), time_one)
        return [results[number] for number in range(len(built))]

    def measure_interleaved(
        self, modules: Sequence[Any], rounds: int, seed: int
    ) -> list[Measurement]:
        """Time modules against each other: one sample of each per round, shuffled.

        Returns:
            One measurement per module, in order. When one takes the process down, all that were
            to be timed with it carry its error.
        """
        built = self._build(modules)
        good = [one for one in built if not one.error]
        error, spent, samples = "", 0.0, iter(())

        def time_all(_: int, ask: Ask) -> None:
            nonlocal error, spent, samples
            limit = self._measure["run_timeout_s"] * rounds * len(good)
            started = time.monotonic()
            try:
                kernels = [(str(one.path), one.call) for one in good]
                samples = iter(
                    ask("time_interleaved", kernels, self._measure, rounds, seed, timeout=limit)
                )
            except WorkerFailure as failure:
                error = f"run {failure}"
            spent = (time.monotonic() - started) / len(good)

        self._runners.each(1 if good else 0, time_all)
        results = []
        for one in built:
            one.remove()
            if one.error or error:
                results.append(Measurement((), one.error or error, one.seconds))
            else:
                results.append(Measurement(logged_seconds(next(samples)), "", one.seconds, spent))
        return results

    def renew(self) -> None:
        """Measure in a new process from now on."""
        self._runners.renew()

    def compare(
        self, modules: Sequence[Any], references: Sequence[Any], seed: int
    ) -> list[Comparison | WorkerFailure]:
        """Run modules and reference schedules of the same kernels on equal seeded inputs.

        Weights keep their original layout, so that differently scheduled kernels take the same
        arguments.

        Returns:
            For each module what was seen, or why one of the two could not be built or run.
        """
        results: dict[int, Comparison | WorkerFailure] = {}
        timeout = self._measure["run_timeout_s"] * 3
        built = self._build([*modules, *references], whole=True)
        pairs = list(zip(built[: len(modules)], built[len(modules) :], strict=True))

        def compare_one(number: int, ask: Ask) -> None:
            ours, theirs = pairs[number]
            try:
                for one in (ours, theirs):
                    if one.error:
                        raise WorkerFailure("error", one.error)
                paths = (str(ours.path), str(theirs.path))
                seen = ask("compare", *paths, theirs.call, seed, timeout=timeout)
                results[number] = Comparison(*seen)
            except WorkerFailure as failure:
                results[number] = failure
            ours.remove()
            theirs.remove()

        self._runners.each(len(pairs), compare_one)
        return [results[number] for number in range(len(pairs))]

    def _build(self, modules: Sequence[Any], whole: bool = False) -> list[_Built]:
        if whole or self._kept is None:
            return self._build_anew(modules, whole)
        names = [candidate_name(module) for module in modules]
        fresh = {n: m for n, m in zip(names, modules, strict=True) if n not in self._kept}
        for name, built in zip(fresh, self._build_anew(list(fresh.values()), whole), strict=True):
            self._kept[name] = replace(built, kept=not built.error)
        found = [self._kept[name] for name in names]
        for name in [name for name, built in self._kept.items() if built.error]:
            del self._kept[name]
        # Those that were asked for last are the newest, and far fewer than may be kept.
        for name in names:
            if name in self._kept:
                self._kept[name] = self._kept.pop(name)
        while len(self._kept) > max(_KEPT, len(names)):
            oldest = next(iter(self._kept))
            replace(self._kept.pop(oldest), kept=False).remove()
        # What it took to build is told once.
        return [
            built if name in fresh else replace(built, seconds=0.0)
            for name, built in zip(names, found, strict=True)
        ]

    def _build_anew(self, modules: Sequence[Any], whole: bool) -> list[_Built]:
        # Each takes the next one when it is done: some take much longer than others on a GPU.
        waiting = deque(enumerate(modules))
        done: dict[int, _Built] = {}

        def build_some(builder: Worker) -> None:
            while True:
                try:
                    number, module = waiting.popleft()
                except IndexError:
                    return
                done[number] = self._build_one(builder, module, whole)

        list(self._threads.map(build_some, self._builders))
        for builder in self._builders:
            builder.settle()  # also one that had nothing to build yet: it would disturb the timing
        return [done[number] for number in range(len(modules))]

    def _build_one(self, builder: Worker, module: Any, whole: bool) -> _Built:
        path = self._scratch / f"kernel{next(self._names)}.so"
        started = time.monotonic()
        try:
            call = kernel_call(module, packed=not whole)
        except RecursionError:
            return _Built(path, Call([]), 0.0, "build error: its expressions are nested too deeply")
        except Exception as error:  # TVM raises all kinds for a module that is no kernel
            reason = f"no kernel 'main' to build: {last_line(error)}"
            return _Built(path, Call([]), 0.0, f"build error: {reason}")
        timeout = self._measure["build_timeout_s"]
        try:
            builder.call("build", module, self._target, str(path), whole, timeout=timeout)
            return _Built(path, call, time.monotonic() - started)
        except WorkerFailure as failure:
            return _Built(path, call, time.monotonic() - started, f"build {failure}")

    def _time(self, built: _Built, best: float | None, ask: Ask) -> Measurement:
        if built.error:
            return Measurement((), built.error, built.seconds)
        ratio = self._measure["early_stop_ratio"]
        known = best is not None and best < float("inf")
        slow_above = best * ratio if best is not None and known and ratio else None
        started = time.monotonic()
        try:
            samples = ask(
                "time",
                str(built.path),
                built.call,
                self._measure,
                slow_above,
                best if known else None,
                timeout=self._measure["run_timeout_s"],
            )
            spent = time.monotonic() - started
            return Measurement(logged_seconds(samples), "", built.seconds, spent)
        except WorkerFailure as failure:
            spent = time.monotonic() - started
            return Measurement((), f"run {failure}", built.seconds, spent)
