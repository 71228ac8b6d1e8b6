"""Digests of the package's own code that comments, docstrings and layout do not change."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

_IMPORT = ("graph", "tvm_compat/vector_math")
# Rooms behind the stages whose artefacts are kept when their code changes.
STAGE_ROOMS = {
    "export": ("models",),
    "kernels": (*_IMPORT, "kernels"),
    "compile": (*_IMPORT, "benchmark/compile.py", "measure/linking.py"),
    "search": ("search", "schedules", "measure", "records", "tvm_compat"),
    "droplet": (
        "droplet", "search/cost_model.py", "search/features.py", "schedules", "measure", "records",
        "tvm_compat",
    ),
    "gain": ("measure", "records", "droplet/moves.py", "tvm_compat"),
    "effect": ("benchmark", "measure/statistics.py", *_IMPORT),
    "roofline": ("measure/roofline.py", "measure/gpu_roofline.py"),
    "package": ("deploy", *_IMPORT, "benchmark"),
    "transfer": (
        "transfer", "kernels/structure.py", "search/cost_model.py", "search/features.py",
        "schedules", "measure", "records", "tvm_compat", *_IMPORT,
        "benchmark/compile.py", "benchmark/in_place.py", "benchmark/untuned.py",
        "benchmark/onnxruntime_model.py", "models/inputs.py",
    ),
    "ranking": (
        "transfer/ranking.py", "transfer/matching.py", "transfer/mapping.py",
        "transfer/sources.py", "kernels/structure.py", "records/best.py",
    ),
    "similarity": (
        "transfer/similarity.py", "transfer/ranking.py", "transfer/matching.py",
        "transfer/mapping.py", "kernels/structure.py",
    ),
    "warm": ("search", "schedules", "measure", "records", "tvm_compat"),
    "benchmark": (
        "benchmark", "hardware/conduct.py", "hardware/place.py", "hardware/remote.py",
        "measure/statistics.py", "measure/ratios.py", "measure/outputs.py", "measure/roofline.py",
        *_IMPORT, "models/export.py", "models/inputs.py", "records/curve.py",
    ),
}  # fmt: skip
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
            if path.suffix == ".py":
                total.update(ast.dump(_bare(path)).encode())
            elif path.is_file() and "__pycache__" not in path.parts:
                total.update(path.read_bytes())
    return total.hexdigest()[:16]


def stage_code(stage: str) -> str:
    """Digest of the code that makes a stage's artefacts."""
    return code_digest(*STAGE_ROOMS[stage])


def _bare(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree
