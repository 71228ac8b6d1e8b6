"""A compiled model as a folder: library, packed weights, manifest, and how to run it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel
from rivulet.hardware.place import CPU, Place
from rivulet.hardware.target import needed_features
from rivulet.tvm_compat.targets import CUDA, is_gpu

LIBRARY, WEIGHTS, MANIFEST = "model.so", "params.npz", "manifest.json"
EXAMPLE, RUN = "example.npz", "run.py"
FILES = (LIBRARY, WEIGHTS, MANIFEST, EXAMPLE, RUN)
_TEMPLATE = Path(__file__).with_name("run_template.py")
_FORMAT = 1


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        name: Its name.
        shape: Its shape.
        dtype: Its dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


def pack_weights(library: Path, params: Sequence[Any], path: Path, place: Place) -> None:
    """Write the weights in the layout that the library's schedules chose.

    Args:
        library: The compiled model.
        params: The prepared model's weights.
        path: File to write.
        place: Where the library runs.
    """
    np.savez(path, *CompiledModel(library, list(params), place).packed_weights())


def write_manifest(
    folder: Path,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    target: Any,
    *,
    threads: int,
    facts: Mapping[str, Any],
) -> None:
    """Write the manifest: what goes in and out, what it was compiled for, and how it was made.

    Args:
        folder: The package.
        inputs: In the order of the model's.
        outputs: Likewise.
        target: TVM target.
        threads: Threads that it was tuned for.
        facts: Model, method, fingerprint, latency and the like.
    """
    manifest = {
        "format": _FORMAT,
        **facts,
        "inputs": [asdict(one) for one in inputs],
        "outputs": [asdict(one) for one in outputs],
        "target": str(target),
        "device": CUDA if is_gpu(target) else CPU,
        "threads": threads,
        "cpu_features": needed_features(target),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def write_runner(folder: Path, example: Mapping[str, np.ndarray]) -> None:
    """Write the example that runs the package, and inputs for it.

    Args:
        folder: The package.
        example: Values that the model is good for, by the inputs' names.
    """
    np.savez(folder / EXAMPLE, **example)  # type: ignore[arg-type]
    shutil.copyfile(_TEMPLATE, folder / RUN)
    (folder / RUN).chmod(0o755)
