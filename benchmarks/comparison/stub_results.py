"""Results of a matrix that nobody has measured: tables of any size, to see what the report does.

The figures are drawn at random; nothing of them is a measurement.
"""

from __future__ import annotations

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

from rivulet.benchmark.kernel_rows import KernelRow
from rivulet.benchmark.table import MethodRow, write_rows
from rivulet.kernels.store import StoredKernel
from rivulet.measure.roofline import RoofRow
from rivulet.methods import ANSOR, DROPLET, TRANSFER, method_of
from rivulet.paths import (
    BENCHMARK,
    BENCHMARK_KERNELS,
    CANDIDATES,
    KERNELS,
    OWN_LOG,
    POOL,
    RANKING,
    ROOFLINE,
    TRIALS,
    Pattern,
    log_of,
)
from rivulet.provenance import write_record
from rivulet.records.trials import Trial, write_trials
from rivulet.report.inputs import ReportInputs
from rivulet.tables import write_table
from rivulet.transfer.ranking import Ranked, write_ranking
from rivulet.transfer.table import CandidateRow, write_candidates

_CLASSES = ("conv2d_add_relu", "conv2d_add", "depthwise_conv2d", "matmul_add", "max_pool2d", "mean")
_TRIALS = 640


class StubResults:
    """Writes the tables behind a report.

    Args:
        root: Folder to write to.
        models: Number of models.
        kernels: Number of kernels of each.
        logs: Kinds of logs.
        seed: Of the figures.
        hardware: Name of the hardware.
        fingerprint: Its fingerprint.
    """

    def __init__(
        self, root: Path, models: int, kernels: int, logs: tuple[str, ...], seed: int,
        hardware: str = "local", fingerprint: str = "0123456789ab",
    ):  # fmt: skip
        self._root, self._hardware, self._fingerprint = root, root / hardware, fingerprint
        self._models = [f"model{number:02d}" for number in range(models)]
        self._kernels = [f"fused_kernel{number}" for number in range(kernels)]
        self._logs, self._random = logs, random.Random(seed)
        self._own = {model: self._random.uniform(2, 40) for model in self._models}

    def write(self) -> ReportInputs:
        """Write everything; returns where it is."""
        pairs = [(a, b) for a in self._models for b in self._models if a != b]
        pairs += [(POOL, model) for model in self._models]
        rows: list[MethodRow] = []
        inputs = ReportInputs(
            self._root / "benchmarks.csv", [], [], [], [], [],
            json.dumps({"models": self._models, "benchmark": {"confidence": 0.95}}), "stub",
        )  # fmt: skip
        for model in self._models:
            inputs.kernels.append(self._kernel_table(model))
            for log in (ANSOR, DROPLET):
                place = self._at(OWN_LOG / TRIALS, own_log=log, model=model)
                inputs.histories.append(self._history(place, self._own[model]))
        for log, (source, target) in product(self._logs, pairs):
            own = self._method_rows(log, source, target)
            rows += own
            pair = {"log_kind": log, "source": source, "target": target}
            record = self._at(BENCHMARK + ".json", **pair)
            record.parent.mkdir(parents=True, exist_ok=True)
            subject, facts = {"hardware": self._hardware.name}, self._facts()
            write_record(record, "benchmark", subject, {}, inputs=[], outputs=[], facts=facts)
            inputs.pair_records.append(record)
            if source == POOL:
                inputs.kernel_tables.append(self._kernels_by_method(log, source, target, own))
            folder = self._at(log_of(method_of(TRANSFER)), **pair)
            folder.mkdir(parents=True, exist_ok=True)
            write_candidates(self._candidates(), folder / CANDIDATES)
            inputs.candidates.append(folder / CANDIDATES)
            inputs.histories.append(self._history(folder / TRIALS, self._own[target]))
        write_rows(rows, inputs.benchmarks)
        inputs.rankings.append(self._ranking())
        inputs.rooflines.append(self._roofline())
        return inputs

    def _at(self, pattern: Pattern, **values: str) -> Path:
        return pattern.below(self._root, hardware=self._hardware.name, trials=_TRIALS, **values)

    def _method_rows(self, log: str, source: str, target: str) -> list[MethodRow]:
        ansor = self._own[target] * self._random.uniform(0.98, 1.02)
        latencies = {
            "untuned": ansor * 90, "onnxruntime": ansor * 1.2, "torch": ansor * 1.9, "ansor": ansor,
            "droplet": ansor * 0.97, "transfer": ansor * self._random.uniform(0.9, 1.6),
        }  # fmt: skip
        if log == "ansor":
            latencies["transfer+droplet"] = latencies["transfer"] * 0.97
        rows = []
        for method, latency in latencies.items():
            row = MethodRow(self._hardware.name, target, source, method, log, _TRIALS)
            row.latency_ms = round(latency, 6)
            row.latency_ms_low, row.latency_ms_high = (
                round(latency * 0.98, 6),
                round(latency * 1.02, 6),
            )
            row.processes, row.samples = 3, 45
            for column, other in (
                ("speedup_vs_untuned", "untuned"), ("speedup_vs_onnxruntime", "onnxruntime"),
                ("share_of_ansor_speedup", "ansor"),
            ):  # fmt: skip
                for ending, by in (("", 1.0), ("_low", 0.98), ("_high", 1.02)):
                    setattr(row, column + ending, round(latencies[other] / latency * by, 4))
            row.search_seconds, row.trials_measured = (
                round(self._random.uniform(20, 200), 1),
                _TRIALS,
            )
            row.kernels_total = row.kernels_covered = len(self._kernels)
            row.flops_covered, row.max_rel_error = 1.0, 1e-6
            row.kernel_sum_ms = round(latency * 0.95, 6)
            row.fingerprint, row.tvm_version = self._fingerprint, "0.27.0"
            rows.append(row)
        return rows

    def _kernel_table(self, model: str) -> Path:
        path = self._at(KERNELS + ".csv", model=model)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            StoredKernel(
                task=kernel,
                class_=_CLASSES[number % len(_CLASSES)],
                shapes="1x64x56x56",
                dtype="float32",
                flops=10**8,
                weight=1,
                workload=kernel,
            )
            for number, kernel in enumerate(self._kernels)
        ]
        write_table(StoredKernel, rows, path)
        return path

    def _kernels_by_method(self, log: str, source: str, target: str, rows: list[MethodRow]) -> Path:
        pair = {"log_kind": log, "source": source, "target": target}
        path = self._at(BENCHMARK_KERNELS + ".csv", **pair)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = []
        for row in rows:
            if row.method in ("onnxruntime", "torch"):
                continue
            for number, kernel in enumerate(self._kernels):
                latency, part, rate = (
                    self._random.uniform(*ends) for ends in ((1, 900), (0, 0.05), (1, 480))
                )
                one = KernelRow(
                    hardware=self._hardware.name,
                    target=target,
                    source=source,
                    log=log,
                    trials=_TRIALS,
                    method=row.method,
                    kernel=kernel,
                    kernel_class=_CLASSES[number % len(_CLASSES)],
                    runs=1,
                    latency_us=round(latency, 3),
                    share_of_model=round(part, 4),
                    gflops=round(rate, 3),
                    share_of_peak=round(rate / 500, 4),
                    share_of_roof=round(rate / 490, 4),
                    bound=self._random.choice(("compute", "memory")),
                )
                found.append(one)
        write_table(KernelRow, found, path)
        return path

    def _candidates(self) -> list[CandidateRow]:
        rows = []
        for number, kernel in enumerate(self._kernels):
            about = (kernel, _CLASSES[number % len(_CLASSES)], 1, 1e8)
            rows.append(CandidateRow(*about, source_kernel="a", kind="class", valid="yes",
                                     correct="yes", median_us="10", chosen="yes"))  # fmt: skip
            rows.append(CandidateRow(*about, kind="default", valid="yes", median_us="80"))
        return rows

    def _history(self, path: Path, last: float) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            Trial(n, n * 0.8, "k", n, "evolutionary", f"c{n}", 0.0, 0.1, 0.1, "[1.0]", "", "1.0",
                  f"{last * (1 + 3 / n):.6f}")
            for n in range(1, 41)
        ]  # fmt: skip
        write_trials(path, rows)
        return path

    def _ranking(self) -> Path:
        path = self._at(RANKING + ".csv")
        rows = [
            Ranked("ansor", _TRIALS, target, source, place, 0.9, 1.0, place, 1.0)
            for target in self._models
            for place, source in enumerate((m for m in self._models if m != target), 1)
        ]
        write_ranking(rows, path)
        return path

    def _roofline(self) -> Path:
        path = self._at(ROOFLINE + ".csv")
        rows = [
            RoofRow("compute", "GFLOP/s", 500.0, 495.0, 25, 2),
            RoofRow("bandwidth", "GB/s", 40.0, 38.0, 25, 2),
        ]
        write_table(RoofRow, rows, path)
        return path

    def _facts(self) -> dict[str, Any]:
        name = "Example CPU" if self._hardware.name == "local" else f"CPU of {self._hardware.name}"
        return {
            "environment": {"cpu": name, "threads": 2, "fingerprint": self._fingerprint},
            "conduct": [{"others": 0.01, "stolen": 0.0}],
        }
