"""Facts about this machine's NVIDIA GPU, read from the driver's own tool without a compiler.

A command can be given a time limit where the driver hangs; within this process its library cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from rivulet.errors import UserError

CUDA = "cuda"
_TOOL = "nvidia-smi"
_FIELDS = ("index", "uuid", "name", "compute_cap", "driver_version", "memory.total")
_STATE = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.limit")
_TIMEOUT_SECONDS = 30.0
# What CUDA lets every GPU since compute capability 5.0 do without asking for more: 48 KiB of shared
# memory is the limit for kernels that name its size when they are compiled, as TVM's do.
LIMITS: dict[str, Any] = {
    "max_num_threads": 1024,
    "max_threads_per_block": 1024,
    "max_shared_memory_per_block": 48 * 1024,
    "registers_per_block": 65536,
    "thread_warp_size": 32,
}


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: Its number among the machine's GPUs, in the order of the bus.
        uuid: Its own name.
        name: Its model.
        compute_capability: Such as ``9.0``.
        driver: Version of the driver.
        memory_mib: Its memory in MiB.
    """

    index: int
    uuid: str
    name: str
    compute_capability: str
    driver: str
    memory_mib: int

    @property
    def arch(self) -> str:
        """Its architecture as compilers name it, such as ``sm_90``."""
        return "sm_" + self.compute_capability.replace(".", "")

    def facts(self) -> dict[str, Any]:
        """What changes generated code or measured times; equal for two GPUs of one kind."""
        return {
            "gpu": self.name,
            "compute_capability": self.compute_capability,
            "driver": self.driver,
            "gpu_memory_mib": self.memory_mib,
        }

    def target(self) -> dict[str, Any]:
        """Attributes of a TVM target."""
        return {"kind": CUDA, "arch": self.arch, **LIMITS}


def read_gpus(text: str) -> list[Gpu]:
    """The GPUs in the tool's answer: comma-separated lines of `_FIELDS`, without a head or units.

    Raises:
        ValueError: It is no such answer.
    """
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        values = [value.strip() for value in line.split(",")]
        if len(values) != len(_FIELDS):
            raise ValueError(f"{line!r} has {len(values)} values, not {len(_FIELDS)}")
        index, uuid, name, capability, driver, memory = values
        if not capability.replace(".", "", 1).isdecimal():
            raise ValueError(f"{line!r} has no compute capability")
        mib = int(memory) if memory.isdecimal() else 0  # hidden on some virtual GPUs
        found.append(Gpu(int(index), uuid, name, capability, driver, mib))
    return found


def visible_gpu(gpus: list[Gpu], visible: str | None) -> Gpu | None:
    """The GPU that a process counts as its first; None where it has none.

    Args:
        gpus: All of the machine, in the order of the bus.
        visible: ``CUDA_VISIBLE_DEVICES``; None where it is not set.
    """
    if visible is None:
        return gpus[0] if gpus else None
    first = visible.split(",")[0].strip()
    for gpu in gpus:
        if first == str(gpu.index) or (first.startswith("GPU-") and gpu.uuid.startswith(first)):
            return gpu
    return None


@cache
def this_gpu() -> Gpu:
    """The first GPU that this process may use.

    Raises:
        UserError: There is none, or its driver does not answer.
    """
    return _found(_ask, os.environ.get("CUDA_VISIBLE_DEVICES"))


def gpu_state(gpu: Gpu) -> dict[str, str]:
    """Clocks (MHz), temperature (degrees Celsius) and power limit (W), as the tool tells them."""
    try:
        answer = _ask(_STATE, f"--id={gpu.uuid}")
    except UserError:
        return {}
    return dict(zip(_STATE, (value.strip() for value in answer.split(",")), strict=False))


def _found(ask: Callable[..., str], visible: str | None) -> Gpu:
    answer = ask(_FIELDS)
    try:
        gpus = read_gpus(answer)
    except ValueError as error:
        raise UserError(f"{_TOOL} gave an answer that is not understood: {error}") from error
    gpu = visible_gpu(gpus, visible)
    if gpu is None:
        hidden = f" with CUDA_VISIBLE_DEVICES={visible}" if visible is not None else ""
        raise UserError(
            f"this process sees no NVIDIA GPU{hidden} ({_TOOL} lists {len(gpus)}); run on a "
            "machine that has one, or take hardware with a target of kind cuda out of the config"
        )
    return gpu


def _ask(fields: tuple[str, ...], *options: str) -> str:
    tool = shutil.which(_TOOL)
    if tool is None:
        raise UserError(
            f"this machine has no NVIDIA GPU: {_TOOL} is not there; run on a machine that has one, "
            "or take the hardware with a target of kind cuda out of the config"
        )
    command = [tool, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", *options]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{_TOOL} does not answer ({error}); check the NVIDIA driver") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise UserError(f"{_TOOL} failed ({said[-1]}); check the NVIDIA driver")
    return done.stdout
