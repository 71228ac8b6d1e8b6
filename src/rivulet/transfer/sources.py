"""The logs that schedules are taken from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.kernels import Kernel
from rivulet.kernels.extract import workload_hash
from rivulet.kernels.structure import KernelStructure, kernel_structure
from rivulet.records.stored import StoredLog, read_log
from rivulet.records.thinned import open_thinned


@dataclass(frozen=True)
class SourceKernel:
    """A kernel of a source and its schedules.

    Attributes:
        source: Name of the source.
        task: Task name of the kernel in its model; a made-up one where the log alone is known.
        workload: Structural hash of the computation.
        structure: What it computes.
        flops: Floating-point operations of one run.
        records: Its tuning records that were read, fastest first; never empty.
        timed: Whether their times are this device's; otherwise only their order tells something.
    """

    source: str
    task: str
    workload: str
    structure: KernelStructure
    flops: float
    records: tuple[Any, ...]
    timed: bool = True

    def speed(self, rank: int) -> float:
        """FLOP/s of one of its records, on the device that the log was made on."""
        return self.flops / float(self.records[rank].run_secs[0])


@dataclass(frozen=True)
class Source:
    """A log to take schedules from.

    Attributes:
        name: Name of the model, or of the donor.
        kernels: Its kernels that have schedules.
        folder: Folder of the log; None for one that is not on disk.
        timed: Whether its times are this device's.
    """

    name: str
    kernels: tuple[SourceKernel, ...]
    folder: Path | None = None
    timed: bool = True


def load_source(
    name: str,
    folder: Path,
    known: list[Kernel],
    scratch: Path,
    *,
    best: int,
    logger: logging.Logger,
    timed: bool = True,
) -> Source:
    """Read the schedules of a log that may be transferred, which are few of many.

    TVM takes milliseconds for each record that it opens, so the log is thinned out first.

    Args:
        name: Name of the source.
        folder: Folder of the log; nothing is written to it.
        known: Kernels of the source's model, for their names; those that the log has besides
            are named after their place in it.
        scratch: Folder for the thinned log.
        best: Fastest records to read of each kernel.
        logger: Told of what is damaged.
        timed: Whether the log was made on this device, so that its times count here.

    Raises:
        UserError: There is no log in the folder.
    """
    stored = read_log(folder)
    if damaged := stored.damaged():
        logger.warning("%s: %d damaged line(s) are not used", folder, damaged)
    names = {kernel.workload: kernel for kernel in known}
    kernels = []
    grouped = _grouped(stored, scratch / f"best-of-{name}", best, 0, logger=logger)
    for place, (workload, (module, records)) in enumerate(grouped.items(), 1):
        kernel = names.get(workload)
        kernels.append(
            SourceKernel(
                source=name,
                task=kernel.task if kernel else f"workload{place}",
                workload=workload,
                structure=kernel_structure(module),
                flops=kernel.flops if kernel else _flops(module),
                records=tuple(records),
                timed=timed,
            )
        )
    return Source(name, tuple(kernels), folder, timed)


def made_here(log: StoredLog, settings: Mapping[str, Any]) -> bool:
    """Whether a log was made on this device; not where nothing beside it says so.

    Args:
        log: The log.
        settings: The transfer's settings, with ``fingerprint``.
    """
    return bool(log.origin.settings.get("fingerprint", "") == settings["fingerprint"])


def read_lessons(
    source: Source, scratch: Path, best: int, others: int, *, logger: logging.Logger
) -> dict[str, list[Any]]:
    """Records of a source for a cost model to learn from: not the fastest alone.

    Args:
        source: The source.
        scratch: Folder for the thinned log.
        best: Fastest records of each kernel.
        others: Further ones, evenly spread over the slower ones.
        logger: Told of what is damaged.

    Returns:
        Workload to its records, fastest first.
    """
    if source.folder is None:
        return {kernel.workload: list(kernel.records) for kernel in source.kernels}
    place = scratch / f"lessons-of-{source.name}"
    grouped = _grouped(read_log(source.folder), place, best, others, logger=logger)
    return {workload: records for workload, (_, records) in grouped.items()}


def _grouped(
    stored: StoredLog, thinned: Path, best: int, others: int, *, logger: logging.Logger
) -> dict[str, tuple[Any, list[Any]]]:
    """Workload to its module and some of its valid records, fastest first."""
    log = open_thinned(stored, thinned, best, others, logger=logger)
    found: dict[str, tuple[Any, list[Any]]] = {}
    for record in log.database.get_all_tuning_records():
        if record.run_secs:
            module = record.workload.mod
            found.setdefault(workload_hash(module), (module, []))[1].append(record)
    for _, records in found.values():
        records.sort(key=lambda record: float(record.run_secs[0]))
    return found


def check_donor(
    name: str, log: StoredLog, settings: Mapping[str, Any], other_hardware: bool
) -> str | None:
    """Is a log from elsewhere fit to be a source here?

    Args:
        name: Its name in the config.
        log: The log.
        settings: The transfer's settings, with ``fingerprint`` and ``tvm``.
        other_hardware: The config accepts a log of another device.

    Returns:
        What to say of it, or None.

    Raises:
        UserError: It was made by another TVM, or, unless accepted, on another device.
    """
    made = log.origin.settings
    tvm, device = str(made.get("tvm", "")), str(made.get("fingerprint", ""))
    if tvm and tvm != settings["tvm"]:
        raise UserError(
            f"donor '{name}': {log.folder} was made by TVM {tvm}, and this is TVM "
            f"{settings['tvm']}, to which its schedules may mean something else; search it again "
            "or take it out of the config"
        )
    if device and device != settings["fingerprint"]:
        where = f"on another device ({_device_name(made, device)})"
        if not other_hardware:
            raise UserError(
                f"donor '{name}': {log.folder} was made {where}; what is fast there need not "
                f"be fast here: set donors.{name}.other_hardware to true to try all the same"
            )
        return f"donor '{name}' was made {where}; its order of schedules may not hold here"
    if not tvm or not device:
        return f"donor '{name}': nothing beside {log.folder} says on what device it was made"
    return None


def _device_name(made: Mapping[str, Any], fingerprint: str) -> str:
    try:
        name = json.loads(made.get("device") or "{}").get("name", "")
    except (ValueError, TypeError, AttributeError):
        name = ""
    return f"'{name}', fingerprint {fingerprint}" if name else f"fingerprint {fingerprint}"


def _flops(module: Any) -> float:
    from tvm.s_tir.analysis import estimate_tir_flops

    return float(estimate_tir_flops(module))
