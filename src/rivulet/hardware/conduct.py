"""What else a machine did while something was measured on it, from the system's own counters.

Counters are read before and after, and nothing runs in between: watching must not disturb what is
watched.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

# Shares of the CPUs above which a measurement is marked. The counters tick a hundred times a
# second, and the system itself takes a percent or two.
MOST_OTHERS = 0.05
MOST_STOLEN = 0.02
LEAST_SPEED, MOST_SPEED = 0.9, 1.1
_SYSTEM = Path("/sys")
_KINDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_BUSY = ("user", "nice", "system", "irq", "softirq")
_LEAST_SECONDS = 0.5  # below that the counters are too coarse to say anything


@dataclass(frozen=True)
class Counters:
    """Counters of some CPUs at one moment.

    Attributes:
        at: Seconds on a clock that never goes back.
        busy: CPU seconds of everything that ran, this process included.
        own: CPU seconds of this process and of the children that it has waited for.
        stolen: CPU seconds that a hypervisor gave to other guests.
        throttles: Times that a core was slowed down for heat; None where it is not readable.
        limited: CPU seconds that a quota withheld from the process; None likewise.
    """

    at: float
    busy: float
    own: float
    stolen: float
    throttles: int | None
    limited: float | None


@dataclass(frozen=True)
class Conduct:
    """What happened between two moments.

    Attributes:
        seconds: Time between them.
        others: Share of the CPUs that other processes took.
        stolen: Share of the CPUs that a hypervisor gave to other guests.
        throttles: Times that a core was slowed down for heat; None where it is not readable.
        limited: Share of the CPUs that a quota withheld from the process; None likewise.
        speed: What the machine did of its peak at the slower end of the time, as a share; None
            where nobody looked.
    """

    seconds: float
    others: float
    stolen: float
    throttles: int | None
    limited: float | None
    speed: float | None = None

    @property
    def slow(self) -> bool:
        """Whether the whole machine was slower than it is."""
        return self.speed is not None and self.speed < LEAST_SPEED

    @property
    def complaints(self) -> list[str]:
        """Why a measurement of this time is to be read with care; empty where it is not."""
        said = []
        if self.others > MOST_OTHERS:
            said.append(f"other processes took {self.others:.0%} of the CPUs")
        if self.stolen > MOST_STOLEN:
            said.append(f"the hypervisor took {self.stolen:.0%} of the CPUs")
        if self.throttles:
            said.append(f"cores were slowed down for heat {self.throttles} time(s)")
        if self.limited is not None and self.limited > MOST_STOLEN:
            said.append(f"a CPU quota withheld {self.limited:.0%} of the CPUs")
        if self.speed is not None and self.speed > MOST_SPEED:
            said.append(
                f"the machine ran at {self.speed:.0%} of the peak in its roofline, which is to be "
                "measured again"
            )
        if self.slow:
            said.append(f"the machine ran at {self.speed:.0%} of its peak")
        return said

    def facts(self) -> dict[str, Any]:
        """All of it, for a record."""
        return asdict(self)


def read_counters(cpus: Sequence[int]) -> Counters:
    """The counters of the CPUs whose numbers are given."""
    times = _ticks()
    chosen = [times[f"cpu{cpu}"] for cpu in cpus if f"cpu{cpu}" in times]
    own, tick = os.times(), os.sysconf("SC_CLK_TCK")
    return Counters(
        at=time.monotonic(),
        busy=sum(sum(ticks[name] for name in _BUSY) for ticks in chosen) / tick,
        own=own.user + own.system + own.children_user + own.children_system,
        stolen=sum(ticks["steal"] for ticks in chosen) / tick,
        throttles=_throttles(cpus),
        limited=_limited(),
    )


def conduct_between(before: Counters, after: Counters, cpus: int) -> Conduct:
    """What happened between two readings of the same CPUs.

    Args:
        before: The first reading.
        after: The second.
        cpus: How many CPUs were read.
    """
    seconds = after.at - before.at
    room = seconds * cpus
    if seconds < _LEAST_SECONDS:
        return Conduct(seconds, 0.0, 0.0, None, None)
    others = (after.busy - before.busy) - (after.own - before.own)
    limited = None
    if before.limited is not None and after.limited is not None:
        limited = round((after.limited - before.limited) / room, 4)
    throttles = None
    if before.throttles is not None and after.throttles is not None:
        throttles = after.throttles - before.throttles
    return Conduct(
        round(seconds, 3),
        round(max(0.0, others) / room, 4),
        round(max(0.0, after.stolen - before.stolen) / room, 4),
        throttles,
        limited,
    )


def clocks() -> dict[str, Any]:
    """Frequencies in MHz and temperatures in degrees Celsius, where the system tells them."""
    found: dict[str, Any] = {}
    frequencies = psutil.cpu_freq(percpu=True) if hasattr(psutil, "cpu_freq") else []
    if rates := [round(one.current) for one in frequencies or [] if one.current]:
        found["mhz"] = rates
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    if degrees := [one.current for many in sensors.values() for one in many]:
        found["celsius"] = max(degrees)
    return found


def _ticks() -> dict[str, dict[str, int]]:
    """Name of each CPU, such as ``cpu0``, to its clock ticks of each kind; CPUs may be missing."""
    found = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name.startswith("cpu") and name != "cpu":
                found[name] = dict(zip(_KINDS, map(int, ticks), strict=False))
    return found


def _throttles(cpus: Sequence[int]) -> int | None:
    counts = []
    for cpu in cpus:
        path = _SYSTEM / f"devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count"
        with contextlib.suppress(OSError, ValueError):
            counts.append(int(path.read_text()))
    return max(counts) if counts else None  # the two threads of a core count the same events


def worst_of(conducts: Sequence[Conduct]) -> Conduct:
    """The worst that was seen of each kind; of several times, one after the other."""
    throttles = [one.throttles for one in conducts if one.throttles is not None]
    limited = [one.limited for one in conducts if one.limited is not None]
    speeds = [one.speed for one in conducts if one.speed is not None]
    worst = min(speeds) if speeds else None
    if worst is not None and worst >= LEAST_SPEED:
        worst = max(speeds)
    return Conduct(
        sum(one.seconds for one in conducts),
        max((one.others for one in conducts), default=0.0),
        max((one.stolen for one in conducts), default=0.0),
        sum(throttles) if throttles else None,
        max(limited) if limited else None,
        worst,
    )


def _limited() -> float | None:
    """Seconds that this process's control group was held back by its CPU quota."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        text = (_SYSTEM / "fs/cgroup" / group / "cpu.stat").read_text()
    except OSError:
        return None
    values = dict(line.split() for line in text.splitlines())
    return int(values["throttled_usec"]) * 1e-6 if "throttled_usec" in values else None
