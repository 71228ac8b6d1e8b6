"""Facts about this machine's CPU, read from the operating system without a compiler."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

from rivulet.tvm_compat import given_cpus
from rivulet.tvm_compat.pinning import siblings, spread

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
_UNKNOWN_CACHE_BYTES = 32 * 2**20
CPUINFO = Path("/proc/cpuinfo")


@cache
def cpu_info(path: Path = CPUINFO) -> tuple[str, frozenset[str]]:
    """Return (model name, feature flags) of the first CPU; empty where the system hides them."""
    model, flags = platform.machine(), frozenset[str]()
    if not path.exists():
        return model, flags
    for line in path.read_text().split("\n\n")[0].splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name":
            model = value
        elif key in ("flags", "Features"):
            flags = frozenset(value.split())
    return model, flags


def usable_cpus() -> int:
    """CPUs that this process may run on (a cgroup or a job's pinning counts, TVM's does not)."""
    return len(given_cpus())


def physical_cores() -> int:
    """Physical cores behind the CPUs that this process may use."""
    return max(1, len({siblings(cpu) for cpu in given_cpus()}))


def spread_cpus(count: int) -> list[int]:
    """CPUs for ``count`` threads: one per physical core first, then the cores' other threads."""
    return spread(os.sched_getaffinity(0), count)


@cache
def last_level_cache_bytes() -> int:
    """Size of CPU 0's largest cache, or 32 MiB where it is not readable."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    found = [_bytes_of(path.read_text().strip()) for path in sizes]
    return max(found, default=0) or _UNKNOWN_CACHE_BYTES


def _bytes_of(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    return int(number) * _UNITS[unit] if unit in _UNITS and number.isdecimal() else 0


def governor() -> str:
    """Frequency governor of CPU 0, or 'unknown' where it is not readable."""
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.exists() else "unknown"
