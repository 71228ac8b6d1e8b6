"""Kernels on disk: a table for people, and the workloads themselves for the stages."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from rivulet.errors import UserError
from rivulet.kernels.kernel import Kernel
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm


@dataclass(frozen=True)
class StoredKernel:
    """One kernel in a model's table.

    Attributes:
        task: Name of the task.
        class_: Its class: the operators that are fused in it.
        shapes: Shapes of its arguments, the output's last.
        dtype: Of the output's elements.
        flops: Floating-point operations of one run.
        weight: How often the model runs it.
        workload: Structural hash of the computation.
    """

    task: str
    class_: str
    shapes: str
    dtype: str
    flops: int
    weight: int
    workload: str


def save_kernels(kernels: list[Kernel], table: Path, workloads: Path) -> None:
    """Write the table (CSV) and the workloads (gzipped JSON, equal bytes for equal kernels)."""
    tvm = load_tvm()
    rows = [
        StoredKernel(
            task=k.task,
            class_=k.kind,
            shapes=" ".join("x".join(map(str, shape)) or "scalar" for shape in k.shapes),
            dtype=k.dtype,
            flops=int(k.flops),
            weight=k.weight,
            workload=k.workload,
        )
        for k in kernels
    ]
    write_table(StoredKernel, rows, table)
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
