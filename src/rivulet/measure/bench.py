"""The measuring bench: strategies propose scheduled kernels, the bench builds and times them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rivulet.measure.pool import Worker
from rivulet.measure.protocol import (
    Comparison,
    Measurement,
    MeasuringBench,
    WorkerFailure,
    logged_seconds,
)
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
    """Builds candidates side by side, then times them one at a time.

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
    """

    def __init__(
        self,
        target: Any,
        threads: int,
        measure: dict[str, Any],
        scratch: Path,
        model_weights: int | None = None,
        keep_built: bool = False,
    ) -> None:
        self._target, self._measure, self._scratch = target, measure, scratch
        count = measure["build_workers"]
        lifetime = measure["worker_max_uses"], measure["worker_memory_gib"]
        self._builders = [
            Worker(threads, *lifetime) for _ in range(threads if count == "auto" else count)
        ]
        self._runner = Worker(threads, *lifetime, model_weights)
        self._names = itertools.count()
        self._kept: dict[str, _Built] | None = {} if keep_built else None
        # One pool for the bench's life: Linux ends a worker with the thread that started it.
        self._threads = ThreadPoolExecutor(len(self._builders))

    def __enter__(self) -> Bench:
        """Start the workers while the caller prepares its first candidates."""
        for process in (*self._builders, self._runner):
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        # A batch may be in flight when the job was asked to end: do not wait for its builds.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in (*self._builders, self._runner):
            process.retire()
        self._threads.shutdown()
        for built in (self._kept or {}).values():
            replace(built, kept=False).remove()

    def measure(
        self,
        modules: Sequence[Any],
        best: Mapping[Hashable, float] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[Measurement]:
        """Time scheduled modules, in order.

        Args:
            modules: ``IRModule`` each, one function named ``main``.
            best: Best latency in seconds of each group so far, where there is one. A candidate
                that is far slower than its group's best gets one sample, one that looks faster gets
                more of them.
            groups: Which kernel each module belongs to; all the same by default.

        Returns:
            One measurement per module, in order.
        """
        fastest = dict(best or {})
        results = []
        for group, built in zip(groups or [0] * len(modules), self._build(modules), strict=True):
            result = self._time(built, fastest.get(group))
            fastest[group] = min(result.latency, fastest.get(group, float("inf")))
            results.append(result)
        return results

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
        error, samples = "", iter(())
        if good:
            limit = self._measure["run_timeout_s"] * rounds * len(good)
            started = time.monotonic()
            try:
                samples = iter(
                    self._runner.call(
                        "time_interleaved",
                        [(str(one.path), one.call) for one in good],
                        self._measure,
                        rounds,
                        seed,
                        timeout=limit,
                    )
                )
            except WorkerFailure as failure:
                error = f"run {failure}"
            spent = (time.monotonic() - started) / len(good)
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
        self._runner.close()
        self._runner.start()
        self._runner.settle()  # what it imports must not disturb the first measurement

    def compare(
        self, modules: Sequence[Any], references: Sequence[Any], seed: int
    ) -> list[Comparison | WorkerFailure]:
        """Run modules and reference schedules of the same kernels on equal seeded inputs.

        Weights keep their original layout, so that differently scheduled kernels take the same
        arguments.

        Returns:
            For each module what was seen, or why one of the two could not be built or run.
        """
        results: list[Comparison | WorkerFailure] = []
        timeout = self._measure["run_timeout_s"] * 3
        built = self._build([*modules, *references], whole=True)
        for ours, theirs in zip(built[: len(modules)], built[len(modules) :], strict=True):
            try:
                for one in (ours, theirs):
                    if one.error:
                        raise WorkerFailure("error", one.error)
                paths = (str(ours.path), str(theirs.path))
                seen = self._runner.call("compare", *paths, theirs.call.args, seed, timeout=timeout)
                results.append(Comparison(*seen))
            except WorkerFailure as failure:
                results.append(failure)
            finally:
                ours.remove()
                theirs.remove()
        return results

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
        count = len(self._builders)
        shares = [list(enumerate(modules))[start::count] for start in range(count)]
        parts = list(
            self._threads.map(
                lambda pair: [(i, self._build_one(pair[0], m, whole)) for i, m in pair[1]],
                zip(self._builders, shares, strict=True),
            )
        )
        for builder in self._builders:
            builder.settle()  # also one that had nothing to build yet: it would disturb the timing
        return [built for _, built in sorted(itertools.chain(*parts), key=lambda item: item[0])]

    def _build_one(self, builder: Worker, module: Any, whole: bool) -> _Built:
        path = self._scratch / f"kernel{next(self._names)}.so"
        started = time.monotonic()
        try:
            call = kernel_call(module, packed=not whole)
        except Exception as error:  # TVM raises all kinds for a module that is no kernel
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            return _Built(path, Call([]), 0.0, f"build error: no kernel 'main' to build: {reason}")
        timeout = self._measure["build_timeout_s"]
        try:
            builder.call("build", module, self._target, str(path), whole, timeout=timeout)
            return _Built(path, call, time.monotonic() - started)
        except WorkerFailure as failure:
            return _Built(path, call, time.monotonic() - started, f"build {failure}")

    def _time(self, built: _Built, best: float | None) -> Measurement:
        if built.error:
            built.remove()
            return Measurement((), built.error, built.seconds)
        ratio = self._measure["early_stop_ratio"]
        known = best is not None and best < float("inf")
        slow_above = best * ratio if best is not None and known and ratio else None
        started = time.monotonic()
        try:
            samples = self._runner.call(
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
        finally:
            built.remove()
