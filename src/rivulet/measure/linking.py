"""Link compiled code to shared libraries, for this machine or another architecture."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def link_module(module: Any, library: Path, linker: str = "") -> None:
    """Write a compiled module as a shared library.

    TVM's own export goes through an archive and a compiler driver, which takes longer than
    compiling the kernel does.

    Args:
        module: A module with code of a CPU.
        library: Library to write.
        linker: As for `link_shared`.
    """
    objects = library.with_suffix(".o")
    module.write_to_file(str(objects))
    link_shared([objects], library, linker)
    objects.unlink()


def link_shared(objects: Sequence[str | Path], library: str | Path, linker: str = "") -> None:
    """Link objects to a shared library.

    Args:
        objects: What to link.
        library: Library to write.
        linker: Command of a compiler that links for another machine; empty for this machine's
            linker alone, which is faster than any compiler that calls it.

    Raises:
        RuntimeError: The linker failed, or is not there; the text ends with its last words.
    """
    # -z now: a missing symbol is an error while loading, and not the end of the process later.
    command = [*shlex.split(linker), "-Wl,-z,now"] if linker else ["ld", "-z", "now"]
    command += ["-shared", "-o", str(library), *map(str, objects)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"the linker '{command[0]}' does not run: {error.strerror}") from error
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise RuntimeError(f"linking with '{command[0]}' failed: {words}")


def export_library(module: Any, library: str | Path, linker: str = "") -> None:
    """Write a compiled module as a shared library, with all that it imports.

    A module for a GPU carries the device's code beside the object that launches it, which TVM's
    export packs into one more object.

    Args:
        module: What TVM compiled.
        library: Library to write.
        linker: As for `link_shared`.
    """

    def link(output: str, objects: list[str], *_: Any, **__: Any) -> None:
        link_shared(objects, output, linker)

    link.output_format = "so"  # type: ignore[attr-defined]
    module.export_library(str(library), fcompile=link)
