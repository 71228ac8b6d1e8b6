"""Make a compiled model a folder that runs without this project."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rivulet import paths
from rivulet.benchmark.estimates import Sampling, estimate_latency
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.pair import PairResult, benchmark_variants, packed_weights
from rivulet.benchmark.subject import Subject
from rivulet.deploy.package import (
    FILES,
    LIBRARY,
    WEIGHTS,
    Tensor,
    pack_weights,
    write_manifest,
    write_runner,
)
from rivulet.errors import UserError
from rivulet.figures import milliseconds
from rivulet.hardware.open_place import at_place
from rivulet.hardware.place import PlaceUnreachable
from rivulet.hardware.target import resolve_target
from rivulet.jobs.job import Job
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record
from rivulet.provenance.checkout import commit, versions
from rivulet.provenance.code import stage_code
from rivulet.stages.stage import Stage
from rivulet.tvm_compat import load_tvm
from rivulet.workflow.settings import Packaging

_PACKAGED = "the package"


class Package(Stage[Packaging]):
    """The folder with library, weights, manifest and an example that runs it."""

    name = "package"
    about = "Make a compiled model a folder that runs by itself."
    keys: ClassVar[tuple[str, ...]] = ("own_log", "model", "hardware", "trials")
    words: ClassVar[Mapping[str, str]] = {"own_log": "what"}
    made = paths.PACKAGE

    @classmethod
    def record_pattern(cls) -> paths.Pattern:
        """In the folder."""
        return cls.made / "package.json"

    @property
    def model(self) -> str:
        """Name of the model."""
        return self["model"]

    @property
    def compiled(self) -> Path:
        """The compiled model."""
        return self.path(f"{paths.COMPILED}.so")

    @property
    def compiled_record(self) -> Path:
        """The record that speaks for it."""
        return self.compiled.with_suffix(".json")

    @property
    def log_record(self) -> Path:
        """Record of the log behind it."""
        return self.path(paths.OWN_LOG / paths.RECORD)

    def inputs(self) -> list[Path]:
        """The exported model, the compiled one, and the log."""
        model = self.path(f"{paths.MODEL}.json", model=self.model)
        return [model, self.compiled_record, self.log_record]

    @property
    def timing(self) -> dict[str, Any]:
        """How it is timed."""
        return self.settings.timing.model_dump(mode="json")

    def work(self, job: Job) -> None:
        """Package it, once it has been run and held against ONNX Runtime."""
        folder, device = self.path(self.made), self.device
        model = read_record(self.inputs()[0]).facts
        folder.mkdir(parents=True, exist_ok=True)
        subject = self._subject(job, folder, model)
        with job.measuring(device):
            load_tvm(device.threads)
            target = resolve_target(device)
            found = self._measure(job, folder, subject, target)
        latency = self._latency(found.samples[_PACKAGED])
        names = [one["name"] for one in model["inputs"]]
        arrays = subject.arrays(self.settings.timing.seed)
        write_runner(folder, dict(zip(names, arrays, strict=True)))
        inputs = [Tensor(one["name"], tuple(one["shape"]), one["dtype"]) for one in model["inputs"]]
        write_manifest(
            folder, inputs, _outputs(subject, model["outputs"]), target, threads=device.threads,
            facts=self._facts(latency, found.errors[_PACKAGED]),
        )  # fmt: skip
        where = "" if device.is_here else f" on a device such as '{device.name}'"
        took = milliseconds(latency["median"])
        job.tell(f"{folder}: {took}; try it{where}: python {folder / 'run.py'}")
        self.write_record([folder / name for name in FILES], {"code": stage_code("package")})

    def _subject(self, job: Job, folder: Path, model: dict[str, Any]) -> Subject:
        """What is timed."""
        tolerance, key = tolerance_for(self.settings.timing.model_dump(), model)
        return Subject(
            self.path(f"{paths.MODEL}.onnx", model=self.model), {_PACKAGED: folder / LIBRARY},
            model["inputs"], self.device, TimingSettings.from_settings(self.timing), tolerance, (),
            checks=self.settings.timing.inputs, weights=job.scratch / "weights.npz",
            tolerance_key=key,
        )  # fmt: skip

    def _measure(self, job: Job, folder: Path, subject: Subject, target: Any) -> PairResult:
        """Pack the weights, check the output, and time it.

        Raises:
            UserError: It is wrong, or does not run.
        """
        shutil.copyfile(self.compiled, folder / LIBRARY)
        params = packed_weights(subject, target)
        at_place(
            self.device.location,
            lambda place: pack_weights(folder / LIBRARY, params, folder / WEIGHTS, place),
        )
        try:
            found = benchmark_variants(
                subject, target, lambda _: None, lambda done, total: None, logger=job.logger
            )
        except PlaceUnreachable as error:
            assert self.device.connection is not None
            raise self.device.connection.trouble(str(error)) from error
        for reason in found.failures.values():
            raise UserError(f"{self.compiled} is not packaged: {reason}")
        return found

    def _facts(self, latency: dict[str, float], error: float) -> dict[str, Any]:
        """What the manifest says of how it was made."""
        log, subject = read_record(self.log_record), self.subject()
        return {
            "model": self.model,
            "method": subject["what"],
            "trials": int(self["trials"]),
            "latency_ms": latency,
            "max_rel_error_against_onnxruntime": error,
            "kernels": log.facts["kernels_total"],
            "kernels_scheduled": log.facts["kernels_covered"],
            "hardware": self.device.name,
            "fingerprint": self.settings.fingerprint,
            "versions": versions(),
            "commit": commit(),
            "compiled": read_record(self.compiled_record).made["at"],
        }

    def _latency(self, samples: list[float]) -> dict[str, float]:
        """Median latency in ms with its interval, in one process."""
        chosen = self.settings.timing
        sampling = Sampling(chosen.confidence, chosen.bootstrap_resamples, chosen.seed)
        one = estimate_latency([samples], sampling)
        found = {"median": one.value, "low": one.low, "high": one.high}
        return {name: round(value, 6) for name, value in found.items()} | {"samples": len(samples)}


def _outputs(subject: Subject, names: list[str]) -> list[Tensor]:
    """The outputs' names, shapes and dtypes, as ONNX Runtime gives them."""
    reference = OnnxRuntimeModel(subject.onnx, subject.device.threads)
    reference.bind(subject.arrays(0))
    reference.run()
    found = zip(names, reference.outputs(), strict=True)
    return [Tensor(name, array.shape, str(array.dtype)) for name, array in found]


STAGE = Package
