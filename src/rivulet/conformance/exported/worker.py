"""The process that takes one file through: a model and an exporter in, a row in JSON out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rivulet.conformance.exported.judging import judge_export
from rivulet.conformance.exported.samples import SAMPLES
from rivulet.tvm_compat import load_tvm


def main(name: str, exporter: str, folder: Path) -> None:
    """Judge one export.

    Args:
        name: The model's.
        exporter: The exporter's.
        folder: Where its files are written, and the answer as ``row.json``.
    """
    load_tvm(1)  # before anything else loads it: the check runs kernels
    sample = next(sample for sample in SAMPLES if sample.name == name)
    row = judge_export(sample, exporter, folder)
    (folder / "row.json").write_text(json.dumps(asdict(row)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
