"""Kernels on disk: a table for people, and the workloads themselves for the stages."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

from rivulet.errors import UserError
from rivulet.kernels.kernel import Kernel
from rivulet.tvm_compat import load_tvm

COLUMNS = ("task", "class", "shapes", "dtype", "flops", "weight", "workload")


def save_kernels(kernels: list[Kernel], table: Path, workloads: Path) -> None:
    """Write the table (CSV) and the workloads (gzipped JSON, equal bytes for equal kernels)."""
    tvm = load_tvm()
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for k in kernels:
            shapes = " ".join("x".join(map(str, shape)) or "scalar" for shape in k.shapes)
            writer.writerow([k.task, k.kind, shapes, k.dtype, int(k.flops), k.weight, k.workload])
    entries = [
        {
            "task": k.task,
            "class": k.kind,
            "shapes": k.shapes,
            "dtype": k.dtype,
            "flops": k.flops,
            "weight": k.weight,
            "workload": k.workload,
            "module": tvm.ir.save_json(k.module),
        }
        for k in kernels
    ]
    workloads.write_bytes(gzip.compress(json.dumps(entries).encode(), mtime=0))


def load_kernels(workloads: Path) -> list[Kernel]:
    """Read what `save_kernels` wrote.

    Raises:
        UserError: The file is not readable as such.
    """
    tvm = load_tvm()
    try:
        entries = json.loads(gzip.decompress(workloads.read_bytes()))
        return [
            Kernel(
                task=entry["task"],
                kind=entry["class"],
                shapes=tuple(tuple(shape) for shape in entry["shapes"]),
                dtype=entry["dtype"],
                flops=entry["flops"],
                weight=entry["weight"],
                workload=entry["workload"],
                module=tvm.ir.load_json(entry["module"]),
            )
            for entry in entries
        ]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{workloads}: not a readable list of kernels ({error}); delete it, and the workflow "
            "makes it again"
        ) from error
