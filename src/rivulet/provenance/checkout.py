"""Which code and which packages made a result."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_PACKAGES = (
    "apache-tvm", "apache-tvm-ffi", "onnxruntime", "openvino", "onnx", "torch", "torchvision",
    "numpy", "scipy", "pandas", "xgboost-cpu", "snakemake",
)  # fmt: skip


@cache
def commit() -> str:
    """The checkout's git commit, with a mark when files differ from it; unknown outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    place = Path(__file__).resolve().parent
    try:
        result = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on, read without importing them."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_of_checkout(name: str) -> Path:
    """A file of the checkout, from the folder that the workflow runs in.

    Args:
        name: Its path in the checkout, which that folder is, or has links to, unless the workflow
            is a module of another one.
    """
    return Path(name) if Path(name).exists() else Path(os.path.relpath(_ROOT / name))
