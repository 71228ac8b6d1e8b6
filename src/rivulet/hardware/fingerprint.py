"""A device as configured and found, and the short name of that state: its fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware.conduct import clocks
from rivulet.hardware.cpu import cpu_info, governor, physical_cores, spread_cpus, usable_cpus
from rivulet.hardware.gpu import CUDA, gpu_state, this_gpu

# Flags outside these families do not change the code that is generated or how fast it runs.
_VECTOR_FLAGS = ("sse", "ssse", "avx", "fma", "f16c", "amx", "bmi", "neon", "asimd", "sve", "dot")


@dataclass(frozen=True)
class Device:
    """A device that kernels are measured on.

    Attributes:
        name: Its name in the config.
        target: TVM target as JSON, or ``auto`` for this machine's CPU, ``cuda`` for its GPU.
        threads: Threads that TVM's and ONNX Runtime's pools use.
        runner: How kernels reach it; ``local`` is this machine.
    """

    name: str
    target: str
    threads: int
    runner: str = "local"

    @classmethod
    def from_settings(cls, name: str, settings: dict[str, Any]) -> Device:
        """Build from the config's entry, with ``auto`` threads resolved on this machine.

        Raises:
            UserError: More threads are asked for than CPUs are usable.
        """
        threads, target = settings["threads"], settings["target"]
        if threads == "auto":
            threads = physical_cores()
        if settings["runner"] == "local" and threads > usable_cpus():
            raise UserError(
                f"hardware.{name}.threads: {threads} threads asked for, but this process may use "
                f"{usable_cpus()} CPU(s) only; lower it or use 'auto'"
            )
        text = target if isinstance(target, str) else json.dumps(target, sort_keys=True)
        return cls(name, text, int(threads), settings["runner"])

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``: what kernels run on."""
        if self.target == CUDA:
            return CUDA
        configured = self.target != "auto" and json.loads(self.target)["kind"] == CUDA
        return CUDA if configured else "cpu"

    @classmethod
    def from_json(cls, text: str) -> Device:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """The device as canonical JSON, for a command line."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def describe(device: Device) -> dict[str, Any]:
    """Everything about the device that changes generated code or measured times.

    Raises:
        UserError: The device is a GPU of this machine, which has none.
    """
    if device.kind == CUDA:
        return {**this_gpu().facts(), "runner": device.runner, "target": device.target}
    model, flags = cpu_info()
    return {
        "architecture": platform.machine(),
        "cpu": model,
        "features": sorted(f for f in flags if f.startswith(_VECTOR_FLAGS)),
        "runner": device.runner,
        "target": device.target,
        "threads": device.threads,
    }


def fingerprint(device: Device) -> str:
    """Twelve hexadecimal digits that differ when `describe` does."""
    text = json.dumps(describe(device), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def environment(device: Device) -> dict[str, Any]:
    """The machine's state worth writing beside a measurement (not part of the fingerprint)."""
    gpu = this_gpu() if device.kind == CUDA else None
    return {
        **describe(device),
        **({"gpu_uuid": gpu.uuid, "gpu_state": gpu_state(gpu)} if gpu else {}),
        "fingerprint": fingerprint(device),
        "cpus_usable": usable_cpus(),
        "cpus": sorted(os.sched_getaffinity(0)),
        "pinned_to": spread_cpus(device.threads),
        "clocks": clocks(),
        "governor": governor(),
        "kernel": platform.release(),
        "load_1min": round(os.getloadavg()[0], 2),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
    }
