"""A model's latency over the sum of its kernels', the two timed by turns in new processes."""

from __future__ import annotations

import multiprocessing
import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rivulet.benchmark.kernel_sum import model_and_kernels
from rivulet.benchmark.pair import packed_weights
from rivulet.benchmark.subject import Subject
from rivulet.hardware.cpu import spread_cpus
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import HERE
from rivulet.hardware.target import resolve_target
from rivulet.tvm_compat import load_tvm

_PROCESSES, _ROUNDS = 2, 9


def sum_to_model(subject: Subject, path: Path, measure: dict[str, Any]) -> float:
    """The median over all rounds of two processes.

    Args:
        subject: The model.
        path: Its compiled library.
        measure: The config's ``measure`` settings, which say how a kernel is timed.
    """
    context = multiprocessing.get_context("spawn")
    ratios: list[float] = []
    for _ in range(_PROCESSES):
        with ProcessPoolExecutor(1, context) as pool:
            ratios += pool.submit(_ratios, subject, path, measure).result()
    return statistics.median(ratios)


def _ratios(subject: Subject, path: Path, measure: dict[str, Any]) -> list[float]:
    load_tvm(subject.device.threads)
    params = packed_weights(subject, resolve_target(subject.device))
    inputs = subject.arrays(subject.timing.seed)
    place = open_place(HERE)
    os.sched_setaffinity(0, spread_cpus(1))  # as every benchmark: TVM's other threads are elsewhere
    rounds = model_and_kernels(path, params, inputs, measure, place=place, rounds=_ROUNDS)
    return [whole / alone for whole, alone in rounds]
