"""Export a torchvision model, or check and adopt an ONNX file of the user's own."""

from __future__ import annotations

from pathlib import Path

from rivulet import paths
from rivulet.jobs.job import Job
from rivulet.models.adopt import adopt_onnx
from rivulet.models.export import export_torchvision
from rivulet.models.onnx_files import files_of, user_files
from rivulet.provenance.checkout import file_of_checkout
from rivulet.provenance.code import stage_code
from rivulet.stages.stage import Stage
from rivulet.workflow.settings import Export


class ExportModel(Stage[Export]):
    """The ONNX file; beside it weights beyond 2 GB, and values for the inputs."""

    name = "export"
    about = "Export a torchvision model, or check and adopt an ONNX file."
    keys = ("model",)
    made = paths.MODEL

    def inputs(self) -> list[Path]:
        """The file that tells the format, and the user's."""
        own = user_files(self.settings.model)
        return [file_of_checkout("rules/export_format.txt"), *map(Path, own)]

    def work(self, job: Job) -> None:
        """Export it."""
        model, onnx = self.settings.model, self.output(".onnx")
        with job.device("cpu", shared=True):
            if "onnx" in model:
                facts = adopt_onnx(
                    Path(model["onnx"]),
                    onnx,
                    job.tell,
                    model.get("shape"),
                    given=model.get("inputs"),
                )
            else:
                facts = export_torchvision(
                    model["torchvision"], model["shape"], model["weights"], model["seed"],
                    path=onnx, say=job.tell,
                )  # fmt: skip
        job.logger.info("facts: %s", facts)
        self.write_record(files_of(onnx), {**facts, "code": stage_code("export")})


STAGE = ExportModel
