"""On which cores the threads of TVM's pool run.

Left to itself TVM pins its threads to the cores 0, 1, 2 and so on. Where a process was given other
ones, by ``taskset`` or by a cluster that binds jobs without confining them, its kernels would run
on somebody else's cores; and where 0 and 1 are two threads of one physical core, on half of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

BIND = "TVM_BIND_THREADS"  # 1 or 0: whether a pool that is made pins its threads
_ONE_CORE_PER_THREAD = -2  # TVM's kSpecifyOneCorePerThread


def spread(cpus: Iterable[int], count: int) -> list[int]:
    """CPUs for ``count`` threads: one per physical core first, then the cores' other threads."""
    first: list[int] = []
    rest: list[int] = []
    seen: set[str] = set()
    for cpu in sorted(cpus):
        core = siblings(cpu)
        (rest if core in seen else first).append(cpu)
        seen.add(core)
    return (first + rest)[:count]


def pin_pool(tvm: Any, cpus: list[int]) -> None:
    """Give each thread of this thread's pool a core: the first is the caller, which may use all.

    Args:
        tvm: The module.
        cpus: A core for each thread of the pool.
    """
    configure = tvm.get_global_func("runtime.config_threadpool")
    configure(_ONE_CORE_PER_THREAD, len(cpus), [str(cpu) for cpu in cpus])


@cache  # a plan asks for each pair
def siblings(cpu: int) -> str:
    """The CPUs of a CPU's physical core, as the system writes them."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return path.read_text().strip() if path.exists() else str(cpu)
