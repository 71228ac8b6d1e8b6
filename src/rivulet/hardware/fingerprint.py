"""A device as configured and found, and the short name of that state: its fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware.conduct import clocks
from rivulet.hardware.cpu import cpu_info, governor, physical_cores, spread_cpus, usable_cpus
from rivulet.hardware.gpu import CUDA, Gpu, gpu_state, this_gpu
from rivulet.hardware.place import CPU, Connection, Location
from rivulet.tvm_compat import given_cpus

# Flags outside these families do not change the code that is generated or how fast it runs.
_VECTOR_FLAGS = ("sse", "ssse", "avx", "fma", "f16c", "amx", "bmi", "neon", "asimd", "sve", "dot")


@dataclass(frozen=True)
class Device:
    """A device that kernels are measured on.

    Attributes:
        name: Its name in the config.
        target: TVM target as JSON, or ``auto`` for this machine's CPU, ``cuda`` for its GPU.
        threads: Threads that TVM's and ONNX Runtime's pools use.
        runner: How kernels reach it: ``local`` is this machine, ``rpc`` a device over RPC.
        key: Key of its servers, for ``rpc``.
        connection: How it is reached, for ``rpc``; where it is known. It changes no result, so
            neither `to_json` nor the fingerprint has it.
    """

    name: str
    target: str
    threads: int
    runner: str = "local"
    key: str = ""
    connection: Connection | None = field(default=None, compare=False)

    @classmethod
    def from_settings(cls, name: str, settings: dict[str, Any]) -> Device:
        """Build from the config's entry, with ``auto`` threads resolved on this machine.

        Nothing of this machine is looked at for an entry that is ``at: cluster``.

        Raises:
            UserError: More threads are asked for than CPUs are usable, or nothing is given that
                links for a device of another architecture.
        """
        threads, target = settings["threads"], settings["target"]
        if threads == "auto":
            threads = physical_cores()
        here = settings["runner"] == "local" and settings.get("at", "here") == "here"
        if here and threads > usable_cpus():
            raise UserError(
                f"hardware.{name}.threads: {threads} threads asked for, but this process may use "
                f"{usable_cpus()} CPU(s) only; lower it or use 'auto'"
            )
        text = target if isinstance(target, str) else json.dumps(target, sort_keys=True)
        if settings["runner"] == "local":
            return cls(name, text, int(threads))
        connection = Connection(**settings["rpc"])
        device = cls(name, text, int(threads), settings["runner"], connection.key, connection)
        if device.architecture != platform.machine() and not connection.compiler:
            raise UserError(
                f"hardware.{name}.rpc.compiler: nothing is given that links for "
                f"{device.architecture} on this {platform.machine()}; name a command such as "
                f"{device.architecture}-linux-gnu-gcc"
            )
        return device

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
        """The device as canonical JSON, as records and plans have it."""
        facts = {
            key: value
            for key, value in asdict(self).items()
            if key != "connection" and (key != "key" or value)
        }
        return json.dumps(facts, sort_keys=True, separators=(",", ":"))

    @property
    def is_here(self) -> bool:
        """Whether it is in this machine."""
        return self.runner == "local"

    @property
    def architecture(self) -> str:
        """Architecture that its target names, or this machine's."""
        spec = json.loads(self.target) if self.target.startswith("{") else {}
        return str(spec.get("mtriple", platform.machine())).partition("-")[0]

    @property
    def location(self) -> Location:
        """Where kernels run.

        Raises:
            UserError: It is reached over RPC, and nothing says how.
        """
        if self.is_here:
            return Location(self.kind, 0, self.threads)
        if self.connection is None:
            raise UserError(
                f"hardware '{self.name}': nothing says how it is reached; that is the config's "
                f"hardware.{self.name}.rpc"
            )
        return Location(self.kind, 0, self.threads, self.connection)

    @property
    def linker(self) -> str:
        """Command that links libraries for it; empty for this machine's linker."""
        return self.connection.compiler if self.connection is not None else ""

    @property
    def locks(self) -> list[tuple[str, bool]]:
        """Locks that a measuring job holds, in order: name, and whether it shares it.

        Kernels for a GPU or a device elsewhere are built on this machine's CPU, which disturbs
        measurements there.
        """
        if self.is_here and self.kind == CUDA:
            return [(CPU, True), (f"{CUDA}{this_gpu().index}", False)]
        if self.is_here:
            return [(CPU, False)]
        at = self.location.connection
        assert at is not None
        return [(CPU, True), (re.sub(r"[^\w.-]", "_", f"rpc-{at.tracker}-{at.key}"), False)]


def describe(device: Device) -> dict[str, Any]:
    """Everything about the device that changes generated code or measured times.

    Raises:
        UserError: The device is a GPU of this machine, which has none.
    """
    if not device.is_here:
        return {
            "key": device.key,
            "runner": device.runner,
            "target": device.target,
            "threads": device.threads,
        }
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
    """The machine's state worth writing beside a measurement (not part of the fingerprint).

    Of a device over RPC nothing is known but what is configured.
    """
    if device.connection is not None:
        return {
            **describe(device),
            "fingerprint": fingerprint(device),
            "tracker": device.connection.tracker,
            "host": platform.node(),
            "python": platform.python_version(),
        }
    gpu = this_gpu() if device.kind == CUDA else None
    return {
        **describe(device),
        **(_beside(gpu, device) if gpu else {}),
        "fingerprint": fingerprint(device),
        "cpus_usable": usable_cpus(),
        "cpus": sorted(given_cpus()),
        "pinned_to": spread_cpus(device.threads),
        "clocks": clocks(),
        "governor": governor(),
        "kernel": platform.release(),
        "load_1min": round(os.getloadavg()[0], 2),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
    }


def _beside(gpu: Gpu, device: Device) -> dict[str, Any]:
    """What is worth knowing of a GPU and its host, but changes no measurement there."""
    return {
        "gpu_uuid": gpu.uuid,
        "gpu_state": gpu_state(gpu),
        "architecture": platform.machine(),
        "cpu": cpu_info()[0],
        "threads": device.threads,
    }
