"""Import TVM quickly and with the right number of threads.

Three things make a plain ``import tvm`` slow, and every job and worker pays for them:

* ``tvm_ffi`` imports torch when it is installed (about a second), only to exchange tensors
  that no stage here exchanges;
* TVMScript's parser asks ``inspect.getmodule`` for every construct it parses, tens of thousands
  of times, and each answer walks all loaded modules;
* ``tvm.s_tir.tensor_intrin`` parses the intrinsics of every architecture TVM knows, although a
  search needs those of its own target only.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import os
import sys
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.tvm_compat.cuda import prepare_cuda
from rivulet.tvm_compat.pinning import BIND, pin_pool, spread
from rivulet.tvm_compat.vector_math import register as register_vector_math

_INTRINSICS = "tvm.s_tir.tensor_intrin"
_given_cpus: set[int] | None = None
_pinned = False


@cache
def installed_version() -> str:
    """Version of the installed TVM, read from its package metadata without importing it."""
    try:
        return importlib.metadata.version("apache-tvm")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "apache-tvm is not installed in this Python; run 'make env' and use .venv"
        ) from None


def given_cpus() -> set[int]:
    """CPUs that this process was given; TVM's pool pins the thread that loads it to some of them.

    What a process starts inherits its pinning, so a process that is to use all CPUs is told.
    """
    return _given_cpus or os.sched_getaffinity(0)


def load_tvm(threads: int | None = None) -> Any:
    """Import TVM, once, and return the module.

    Args:
        threads: Threads of TVM's runtime in this process. TVM takes half of the CPUs when it
            is not told, so every process that runs a kernel passes this. It has to be given by
            the first call: TVM's pool reads it once. They are pinned, one to a core, on the CPUs
            that the process was given, as far as there are enough; without a number, none is.

    Raises:
        UserError: TVM is not installed, or its runtime was started with another thread count.
    """
    if threads is not None:
        os.environ["TVM_NUM_THREADS"] = str(threads)
    global _given_cpus, _pinned
    if "tvm" not in sys.modules:
        # A process that only compiles folds constants too, and TVM would pin it for that.
        os.environ[BIND] = "0"
        _given_cpus = os.sched_getaffinity(0)
        installed_version()
        prepare_cuda()
        os.environ.setdefault("TVM_FFI_DISABLE_TORCH_C_DLPACK", "1")
        _import_without("torch", "tvm")
    if _INTRINSICS not in sys.modules:  # a process that somebody else imported TVM in counts too
        _narrow_intrinsics()
    register_vector_math()
    tvm = sys.modules["tvm"]
    if threads is not None:
        if not _pinned and len(given_cpus()) >= threads:
            os.environ[BIND], _pinned = "1", True
            pin_pool(tvm, spread(given_cpus(), threads))
        actual = int(tvm.get_global_func("runtime.NumThreads")())
        if actual != threads:
            raise UserError(
                f"TVM's runtime uses {actual} thread(s) although {threads} are configured; "
                "check hardware threads against the CPUs that this process may use"
            )
    return tvm


def _import_without(hidden: str, name: str) -> None:
    """Import ``name`` while ``hidden`` looks as if it were not installed."""
    loaded = hidden in sys.modules
    if not loaded:
        sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        with _memoised_getmodule():
            importlib.import_module(name)
    finally:
        if not loaded:
            del sys.modules[hidden]


class _memoised_getmodule:
    """While active, ``inspect.getmodule`` answers each file name from a cache."""

    def __enter__(self) -> None:
        self._original: Callable[..., Any] = inspect.getmodule
        cache: dict[str, Any] = {}

        def getmodule(obj: Any, _filename: str | None = None) -> Any:
            if _filename is None:
                return self._original(obj, _filename)
            if _filename not in cache:
                cache[_filename] = self._original(obj, _filename)
            return cache[_filename]

        inspect.getmodule = getmodule  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        inspect.getmodule = self._original


def _narrow_intrinsics() -> None:
    """Stand in for the package of all tensor intrinsics with one that holds the CPU's only."""
    root = Path(sys.modules["tvm"].__file__ or "").parent / "s_tir" / "tensor_intrin"
    package = types.ModuleType(_INTRINSICS)
    package.__path__ = [str(root)]
    sys.modules[_INTRINSICS] = package
    load_intrinsics("x86")
    if os.uname().machine == "aarch64":
        load_intrinsics("arm_cpu")


def load_intrinsics(family: str) -> None:
    """Import the tensor intrinsics of a family of devices, such as ``arm_cpu``."""
    with _memoised_getmodule():
        importlib.import_module(f"{_INTRINSICS}.{family}")
