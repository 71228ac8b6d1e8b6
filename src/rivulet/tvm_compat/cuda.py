"""What TVM needs to know of CUDA before it is imported, and whether it found what it needs."""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
from pathlib import Path
from typing import Any

from rivulet.errors import UserError

_COMPILER = "TVM_CUDA_COMPILE_MODE"
_RUNTIME = "device_api.cuda"
_USUAL_TOOLKIT, _HEADER = Path("/usr/local/cuda"), "cuda_runtime.h"


def prepare_cuda() -> None:
    """Set what CUDA and TVM read from the environment, where the user has not.

    TVM compiles CUDA code with NVRTC by default, through a Python package that is not among the
    pinned ones, and with headers of the toolkit, which TVM looks for beside the nvcc of the PATH
    only. Where it would not find them, nvcc compiles as well. GPUs are numbered as the driver's own
    tool numbers them.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    toolkit = _toolkit()
    if toolkit is not None:
        os.environ.setdefault("CUDA_PATH", str(toolkit))
    # Decided already by the user, or by the process that started this one?
    if _COMPILER not in os.environ and (toolkit is None or not _has_nvrtc()):
        os.environ[_COMPILER] = "nvcc"


def check_cuda(tvm: Any, index: int = 0) -> None:
    """Make sure that kernels can be compiled for, and run on, a GPU of this machine.

    Raises:
        UserError: They cannot; the text says what is missing.
    """
    if tvm.get_global_func(_RUNTIME, allow_missing=True) is None:
        raise UserError(f"TVM's CUDA runtime does not load here: {_missing_library()}")
    if not tvm.cuda(index).exist:
        raise UserError(
            f"CUDA has no device {index} here; check nvidia-smi and CUDA_VISIBLE_DEVICES"
        )
    if os.environ.get(_COMPILER) == "nvcc" and shutil.which("nvcc") is None:
        raise UserError(
            "no CUDA compiler is here: put the CUDA toolkit's nvcc on the PATH, or install the "
            "Python package cuda-bindings and set CUDA_PATH to the folder of the toolkit's include"
        )


def _toolkit() -> Path | None:
    """Folder of the CUDA toolkit whose headers NVRTC includes."""
    nvcc = shutil.which("nvcc")
    beside = [Path(nvcc).resolve().parent.parent] if nvcc else []
    chosen = os.environ.get("CUDA_PATH")
    places = [Path(chosen)] if chosen else [*beside, _USUAL_TOOLKIT]
    return next((place for place in places if (place / "include" / _HEADER).is_file()), None)


def _has_nvrtc() -> bool:
    try:
        importlib.import_module("cuda.bindings.nvrtc").nvrtcVersion()
    except Exception:  # no package, or one without its library, or with one it does not fit
        return False
    return True


def _missing_library() -> str:
    for library, whose in (
        ("libcuda.so.1", "the NVIDIA driver"),
        ("libcudart.so.13", "the CUDA toolkit 13; its folder belongs in LD_LIBRARY_PATH"),
    ):
        try:
            ctypes.CDLL(library)
        except OSError:
            return f"{library} is missing, which comes with {whose}"
    return "this build of TVM has none"
