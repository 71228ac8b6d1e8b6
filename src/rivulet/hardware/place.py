"""Where kernels and compiled models run: this machine's CPU, a GPU of it, or a device over RPC."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivulet.errors import UserError
from rivulet.tvm_compat import given_cpus, load_tvm
from rivulet.tvm_compat.cuda import check_cuda
from rivulet.tvm_compat.targets import CUDA

if TYPE_CHECKING:
    import numpy as np  # tools that only read logs come by here, and do not wait for it

CPU = "cpu"


class PlaceUnreachable(Exception):
    """Nobody answers at a place over RPC, or nobody does any more; the text says why."""


@dataclass(frozen=True)
class Connection:
    """How a device over RPC is reached: nothing of it changes a result.

    Attributes:
        tracker: ``HOST:PORT`` of the tracker.
        key: Key that the device's servers register under.
        devices: How many of them are used at a time.
        session_timeout_s: Seconds after which a server ends a session, whatever it does.
        connect_timeout_s: Seconds to wait for a server, at each try.
        retries: How often that is tried again.
        compiler: Command that links a library for the device; empty for this machine's.
    """

    tracker: str
    key: str
    devices: int = 1
    session_timeout_s: float = 600.0
    connect_timeout_s: float = 60.0
    retries: int = 3
    compiler: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the tracker."""
        host, _, port = self.tracker.rpartition(":")
        return host.strip("[]"), int(port)

    def trouble(self, reason: str) -> UserError:
        """The error that ends a job for want of the device."""
        return UserError(
            f"no device under the key '{self.key}' at the tracker {self.tracker}: {reason}; see "
            "that the tracker and a server of this key run and can be reached from here "
            "(docs/devices.md), then start the same command again: it goes on from where it was"
        )


@dataclass(frozen=True)
class Location:
    """Which place; `rivulet.hardware.open_place` goes there.

    Attributes:
        kind: TVM's kind of device, such as ``cpu`` or ``cuda``.
        index: Number of the device among those of its kind.
        threads: Threads that kernels run on at a CPU.
        connection: How it is reached; None for this machine.
    """

    kind: str = CPU
    index: int = 0
    threads: int = 1
    connection: Connection | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is in this machine."""
        return self.connection is None

    def to_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Location:
        """Read what `to_json` wrote."""
        facts = json.loads(text)
        connection = facts.pop("connection")
        return cls(**facts, connection=Connection(**connection) if connection else None)


HERE = Location()


class Place:
    """A device of this machine, as kernels and compiled models see it.

    Args:
        location: Which device.

    Attributes:
        location: The same.
        device: TVM's device, for a virtual machine and for timing.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._tvm = load_tvm()
        self.device: Any = self._tvm.runtime.device(location.kind, location.index)
        if location.kind == CUDA and location.is_here:
            check_cuda(self._tvm, location.index)
            # This thread only launches kernels. TVM has pinned it to the same cores as that of
            # every other process, which may launch kernels of another GPU.
            os.sched_setaffinity(0, given_cpus())

    @property
    def is_host_cpu(self) -> bool:
        """Whether kernels run in this process: its memory, its caches and its clock are theirs."""
        return self.location.is_here and self.location.kind == CPU

    def load(self, path: Path | str) -> Any:
        """Load a shared library of this machine; returns the module."""
        return self._tvm.runtime.load_module(str(path))

    def tensor(self, array: np.ndarray) -> Any:
        """A copy of an array."""
        return self._tvm.runtime.tensor(array, self.device)

    def filled(self, shape: tuple[int, ...], dtype: str) -> Any:
        """A tensor of random numbers from 1 to 10, made where it lies.

        Of whole numbers TVM's function makes bit patterns that no index may have; what has to lie
        within bounds is sent there by `tensor`.
        """
        tensor = self._tvm.runtime.empty(shape, dtype, self.device)
        self.function("tvm.contrib.random.random_fill_for_measure")(tensor)
        return tensor

    def function(self, name: str) -> Any:
        """A global function of the runtime that runs kernels."""
        return self._tvm.get_global_func(name)

    def sync(self) -> None:
        """Wait until everything that was begun is done."""
        if not self.is_host_cpu:  # there a call returns when it is done
            self.device.sync()

    def alive(self) -> bool:
        """Whether it still answers: a GPU does not after a kernel that touched foreign memory."""
        try:
            self.sync()
        except Exception:
            return False
        return True

    def close(self) -> None:
        """Leave it; nothing of it may be used any more."""

    def seconds_left(self) -> float:
        """Seconds until it has to be opened anew."""
        return math.inf
