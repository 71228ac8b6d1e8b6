"""Import torchvision quickly, and beside a torch that its compiled operators do not fit."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from rivulet.errors import UserError

_COMPILER = "torch._dynamo"


@cache
def import_torchvision() -> tuple[Any, Any]:
    """Import torchvision also where its compiled operators do not fit the installed torch.

    A CPU-only torch cannot load torchvision's compiled operators when they were built beside
    another torch, and then the import stops at operators that no classification model uses.
    Declaring their schemas beforehand is all it asks for; where they do load, they declare the
    same ones and nothing has to be done.

    Returns:
        The modules ``torch`` and ``torchvision``.

    Raises:
        UserError: torchvision is not installed.
    """
    import torch

    spec = _extension_path()
    loaded = False
    if spec is not None:
        try:
            torch.ops.load_library(str(spec))
            loaded = True
        except (OSError, RuntimeError):
            pass
    if not loaded:
        library = torch.library.Library("torchvision", "DEF")
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for operator in ("nms", "qnms"):
            library.define(operator + schema)
        torch._rivulet_torchvision_schemas = library  # they live as long as this object
    with _without_torch_compiler():
        import torchvision
    return torch, torchvision


@contextmanager
def _without_torch_compiler() -> Iterator[None]:
    """Keep torchvision from importing torch's compiler for a question that it asks when it runs.

    The compiler is most of the import's time, and no model is compiled by it when it is exported.
    """
    if _COMPILER in sys.modules:
        yield
        return

    def is_compile_supported(device: str) -> Any:
        return importlib.import_module(f"{_COMPILER}.utils").is_compile_supported(device)

    stand_ins = {name: types.ModuleType(name) for name in (_COMPILER, f"{_COMPILER}.utils")}
    stand_ins[f"{_COMPILER}.utils"].is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _extension_path() -> Path | None:
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        raise UserError("torchvision is not installed in this Python; run 'make env' and use .venv")
    found = sorted(Path(package.origin).parent.glob("_C*.so"))
    return found[0] if found else None
