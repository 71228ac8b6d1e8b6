"""Digests of the package's own code that comments, docstrings and layout do not change."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from rivulet.methods import stage_sections

_IMPORT = ("graph", "tvm_compat/vector_math", "tvm_compat/weights.py")
# A compiled model, run on its inputs and held against another runtime.
_RUN = (
    *_IMPORT, "hardware/memory.py", "measure/outputs.py", "models/inputs.py",
    "models/precision.py",
)  # fmt: skip
# Rooms behind the stages whose artefacts are kept when their code changes.
STAGE_ROOMS = {
    "export": ("models",),
    "kernels": (
        "graph", "kernels", "verify", "measure/outputs.py", "models/inputs.py",
        "models/precision.py", "tvm_compat/blocks.py", "tvm_compat/weights.py",
    ),
    "compile": (*_IMPORT, "benchmark/compile.py", "measure/linking.py"),
    "search": ("search", "tuning", "schedules", "measure", "records", "tvm_compat"),
    "droplet": (
        "droplet", "tuning", "schedules", "measure", "records", "tvm_compat",
        "models/precision.py",
    ),
    "gain": ("measure", "records", "droplet/moves.py", "tvm_compat"),
    "effect": ("benchmark", "measure/statistics.py", *_RUN),
    "roofline": ("measure/roofline.py", "measure/gpu_roofline.py"),
    "package": ("deploy", "benchmark", *_RUN),
    "transfer": (
        "transfer", "stages/transfer_proof.py", "tuning", "kernels/structure.py",
        "schedules", "measure", "records",
        "tvm_compat", *_IMPORT, "benchmark/compile.py", "benchmark/in_place.py",
        "benchmark/untuned.py", "models/inputs.py", "models/precision.py", "hardware/memory.py",
    ),
    "ranking": (
        "transfer/ranking.py", "transfer/matching.py", "transfer/mapping.py",
        "transfer/sources.py", "kernels/structure.py", "tvm_compat/blocks.py", "records/best.py",
    ),
    "similarity": (
        "transfer/similarity.py", "transfer/ranking.py", "transfer/matching.py",
        "transfer/mapping.py", "kernels/structure.py", "tvm_compat/blocks.py",
    ),
    "warm": ("search", "tuning", "schedules", "measure", "records", "tvm_compat"),
    "benchmark": (
        "benchmark", "hardware/conduct.py", "hardware/place.py", "hardware/open_place.py",
        "hardware/remote.py",
        "measure/statistics.py", "measure/ratios.py", "measure/roofline.py", "models/export.py",
        "records/curve.py", *_RUN,
    ),
}  # fmt: skip
# A method's stage that is not named above is its own module, on the bench of all.
_JOBS = ("stages/stage.py", "stages/tuning.py", "stages/pair.py")
_NEW_STAGE = ("tuning", "schedules", "measure", "records", "tvm_compat")
_PACKAGE = Path(__file__).resolve().parents[1]


def code_digest(*rooms: str) -> str:
    """Digest of the Python code and other files of some rooms of the package.

    Args:
        rooms: Folders or files below ``rivulet``, such as ``search``.
    """
    total = hashlib.sha256()
    for room in rooms:
        place = _PACKAGE / room
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(_content(path, path.stat().st_mtime_ns))
    return total.hexdigest()[:16]


def stage_code(stage: str) -> str:
    """Digest of the code that makes a stage's artefacts."""
    return code_digest(f"stages/{stage}.py", *_JOBS, *STAGE_ROOMS.get(stage, _NEW_STAGE))


def stages_with_code() -> list[str]:
    """The stages whose artefacts are kept when the code that makes them changes."""
    return list(dict.fromkeys([*STAGE_ROOMS, *stage_sections()]))


@cache
def _content(path: Path, _changed: int) -> bytes:
    """What counts of a file; most are in the rooms of several stages."""
    return ast.dump(_bare(path)).encode() if path.suffix == ".py" else path.read_bytes()


def _bare(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree
