#!/usr/bin/env python3
"""Export a model to ONNX.

Inputs: the model's definition, and the user's files for an ONNX model.
Outputs: the ONNX file and its record; beside it weights beyond 2 GB, and values for the inputs.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.jobs.cli import Command
from rivulet.models.adopt import adopt_onnx
from rivulet.models.export import export_torchvision
from rivulet.models.onnx_files import files_of, user_files
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code


def export(job, options):
    """Export one model."""
    model = options.settings["model"]
    options.onnx.parent.mkdir(parents=True, exist_ok=True)
    inputs = [options.format_file, *map(Path, user_files(model))]
    with job.device("cpu", shared=True):
        if "onnx" in model:
            facts = adopt_onnx(
                Path(model["onnx"]), options.onnx, job.tell, model.get("shape"), model.get("inputs")
            )
        else:
            facts = export_torchvision(
                model["torchvision"], model["shape"], model["weights"], model["seed"],
                options.onnx, job.tell,
            )  # fmt: skip
    job.logger.info("facts: %s", facts)
    facts["code"] = stage_code("export")
    write_record(
        options.record, "export", options.subject, options.settings, inputs,
        files_of(options.onnx), facts,
    )  # fmt: skip


def main():
    """Run the command line."""
    command = Command("Export a torchvision model, or check and adopt an ONNX file.", "export")
    command.add("--onnx", type=Path, required=True, help="ONNX file to write")
    command.add(
        "--format-file", type=Path, required=True, help="file that tells the exports' format"
    )
    return command.run(export)


if __name__ == "__main__":
    raise SystemExit(main())
