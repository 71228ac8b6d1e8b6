"""Export a model, put the file through what a user's file goes through, and say how it went."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.conformance.exported.exporting import export_sample
from rivulet.conformance.exported.samples import Sample
from rivulet.errors import UserError, first_line

RIGHT, REFUSED, WRONG, UNCLEAR, NO_FILE = "right", "refused", "wrong", "unclear", "no file"


@dataclass(frozen=True)
class Row:
    """How one file went; what it did not get to is empty.

    Attributes:
        model: The model.
        package: Where it is from.
        exporter: What wrote the file.
        result: ``right``, ``refused`` (in a line that names an operator), ``wrong``, ``unclear``,
            or ``no file`` where the exporter itself fails.
        opset: The file's operator set.
        kernels: Different kernels.
        seconds: CPU time of preparation: from the file to fused kernels.
        error: Largest relative error of an output against ONNX Runtime's.
        message: What was said of a file that is not right.
    """

    model: str
    package: str
    exporter: str
    result: str
    opset: int | str = ""
    kernels: int | str = ""
    seconds: float | str = ""
    error: float | str = ""
    message: str = ""


def judge_export(sample: Sample, exporter: str, folder: Path) -> Row:
    """Export a model, prepare and compile it without tuning, and run it beside ONNX Runtime.

    Args:
        sample: The model.
        exporter: One of `rivulet.conformance.exported.exporting.EXPORTERS`.
        folder: Where the files are written.
    """
    facts: dict[str, Any] = {}
    source = folder / f"{sample.name}.onnx"
    result = NO_FILE
    try:
        export_sample(sample, exporter, source)
        result = UNCLEAR
        result, message = _take_through(source, facts)
    except Exception as error:
        message = f"{type(error).__name__}: {first_line(error)}"[:300].rstrip()
    return Row(
        model=sample.name,
        package=sample.package,
        exporter=exporter,
        result=result,
        **facts,
        message=message,
    )


def _take_through(source: Path, facts: dict[str, Any]) -> tuple[str, str]:
    """The steps of the workflow; facts are told as they are found."""
    import onnx

    from rivulet.config.sections import Benchmark
    from rivulet.graph.errors import told
    from rivulet.graph.prepare import prepare_model
    from rivulet.hardware.target import this_cpu
    from rivulet.kernels.extract import extract_kernels
    from rivulet.kernels.leftover import refuse_leftovers
    from rivulet.models.adopt import adopt_onnx
    from rivulet.verify.check import Check, verify
    from rivulet.verify.culprit import failing_node

    folder = source.parent
    path = folder / "adopted.onnx"
    model = onnx.load(str(source), load_external_data=False)
    facts["opset"] = next(
        one.version for one in model.opset_import if one.domain in ("", "ai.onnx")
    )
    operators = {node.op_type for node in model.graph.node}
    target = this_cpu(threads=1)
    try:
        adopted = adopt_onnx(source, path, lambda _: None)
        with told(source.name, path, lambda: failing_node(path, target, prepare_model, folder)):
            started = time.process_time()
            prepared = prepare_model(path, target)
            facts["seconds"] = round(time.process_time() - started, 1)
            refuse_leftovers(prepared.module, target)
            facts["kernels"] = len(extract_kernels(prepared, target))
    except UserError as error:
        named = any(re.search(rf"\b{name}\b", str(error)) for name in operators)
        return REFUSED if named else UNCLEAR, str(error)
    try:
        check = Check.of_export(
            path,
            source.name,
            adopted,
            Benchmark().model_dump(),
            threads=1,
            folder=folder,
            note=lambda _: None,
        )
        facts["error"] = verify(check, prepared, target)
    except UserError as error:
        return WRONG, str(error)
    return RIGHT, ""
