"""Extract the kernels of a model, once it is known that TVM computes it right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.errors import UserError
from rivulet.figures import operations
from rivulet.graph.errors import told
from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.target import resolve_target
from rivulet.jobs.job import Job
from rivulet.kernels import save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.leftover import listed, refuse_leftovers
from rivulet.models.precision import FLOAT32
from rivulet.provenance import read_record
from rivulet.provenance.code import stage_code
from rivulet.stages.stage import Stage
from rivulet.tvm_compat import load_tvm
from rivulet.verify.check import Check, verify
from rivulet.verify.culprit import failing_node
from rivulet.workflow.settings import Kernels


class ExtractKernels(Stage[Kernels]):
    """The kernel table and the workloads."""

    name = "kernels"
    about = "Extract the tunable kernels of an ONNX model."
    keys = ("model", "hardware")
    made = paths.KERNELS

    def inputs(self) -> list[Path]:
        """The exported model's record."""
        return [self.path(f"{paths.MODEL}.json")]

    def work(self, job: Job) -> None:
        """Check the model and extract its kernels."""
        onnx, exported = self.path(f"{paths.MODEL}.onnx"), read_record(self.inputs()[0])
        name = exported.settings["model"].get("onnx", self["model"])
        threads = min(self.device.threads, usable_cpus())
        load_tvm(threads)  # before anything else loads it: the check runs kernels
        target = resolve_target(self.device)

        def culprit() -> str | None:
            job.tell("TVM fails on this model; looking for the operator")
            return failing_node(onnx, target, prepare_model, job.scratch)

        with job.device("cpu", shared=True):
            with told(name, onnx, culprit):
                model = prepare_model(onnx, target)
            with told(name, onnx):
                untuned = refuse_leftovers(model.module, target)
                if untuned:
                    job.tell(f"not tuned, because TVM has no loops to schedule: {listed(untuned)}")
                kernels = extract_kernels(model, target)
                if not kernels:
                    raise UserError("it has no kernel: nothing is computed from its inputs")
                # The check's tolerance changes nothing of what is written: no setting of this.
                benchmark = self.plan.config.benchmark.model_dump(mode="json")
                check = Check.of_export(
                    onnx,
                    name,
                    exported.facts,
                    benchmark,
                    threads=threads,
                    folder=job.scratch,
                    note=job.logger.info,
                )
                error = verify(check, model, target)
        table, workloads = self.output(".csv"), self.path(paths.WORKLOADS)
        save_kernels(kernels, table, workloads)
        flops = sum(k.flops * k.weight for k in kernels)
        classes = len({k.kind for k in kernels})
        job.tell(f"{len(kernels)} kernels in {classes} classes, {operations(flops)}")
        facts = {
            "code": stage_code("kernels"),
            "target": str(target),
            "kernels": len(kernels),
            "classes": classes,
            "gflop": round(flops / 1e9, 6),
            "precision": exported.facts.get("precision", FLOAT32),
            **_left(model),
            "max_rel_error_against_onnxruntime": error,
        }
        self.write_record([table, workloads], facts)


def _left(model: Any) -> dict[str, int]:
    """What is left of transposes and of work on weights alone."""
    left = inspect_module(model.module)
    return {
        "transposes_inside": len(left.transposes_inside),
        "transposes_written": len(left.transposes_written),
        "weight_only_kernels": len(left.weight_only),
    }


STAGE = ExtractKernels
