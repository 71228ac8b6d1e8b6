"""Which machine's results lie under each name of hardware, as their records tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.provenance.record import Record


@dataclass(frozen=True)
class Machine:
    """A machine in one state, which is what a fingerprint names.

    Attributes:
        fingerprint: Fingerprint of the device.
        cpu: Name of its CPU; ``unknown CPU`` where no record has it.
        threads: Threads that were used; 0 where no record has them.
        records: Number of records with this fingerprint.
        example: Path of one of them.
    """

    fingerprint: str
    cpu: str
    threads: int
    records: int
    example: Path

    def __str__(self) -> str:
        """As error lines name it."""
        count = "1 record" if self.records == 1 else f"{self.records} records"
        return f"{self.fingerprint} ({self.described}; {count}, {self.example})"

    @property
    def described(self) -> str:
        """The CPU and its threads."""
        threads = f", {self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{self.cpu}{threads if self.threads else ''}"


def machines_of(records: Mapping[Path, Record]) -> dict[str, dict[str, Machine]]:
    """Hardware's name to fingerprint to the machine, from the records that have a fingerprint."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path, record in records.items():
        hardware = record.subject.get("hardware")
        # What describes a cluster's node was planned without knowing it.
        facts = record.facts if record.stage == "machine" else record.settings
        fingerprint = facts.get("fingerprint")
        if hardware and fingerprint:
            found.setdefault(str(hardware), {}).setdefault(str(fingerprint), []).append(path)
    return {
        hardware: {
            fingerprint: _machine(fingerprint, {path: records[path] for path in paths})
            for fingerprint, paths in states.items()
        }
        for hardware, states in found.items()
    }


def processor(environment: Mapping[str, Any]) -> str:
    """What a machine's description says that its kernels run on; empty where it does not."""
    return str(environment.get("gpu") or environment.get("cpu") or environment.get("key") or "")


def refuse_two_machines(machines: Mapping[str, Mapping[str, Machine]]) -> None:
    """Check that each name of hardware stands for one machine.

    Raises:
        UserError: Two fingerprints lie under one name; both are named.
    """
    lines = [clash(hardware, *states.values()) for hardware, states in machines.items()
             if len(states) > 1]  # fmt: skip
    if lines:
        raise UserError("\n".join(lines))


def clash(hardware: str, *machines: Machine) -> str:
    """What is wrong where results of several machines have one name."""
    return (
        f"hardware '{hardware}' has results of {len(machines)} machines or states of one, with the "
        f"fingerprints {' and '.join(map(str, machines))}; figures of different machines cannot "
        "stand under one name: keep the results of one of them, or give one another name in its "
        "config and measure there under that name"
    )


def refuse_other_names(records: Mapping[Path, Record], roots: Mapping[Path, str]) -> None:
    """Check that results lie in the folder of their hardware.

    Args:
        records: Records to check.
        roots: Path of each to the name of the folder below ``results`` that it is in.

    Raises:
        UserError: A record says another hardware's name.
    """
    for path, record in records.items():
        hardware = record.subject.get("hardware")
        if hardware is not None and hardware != roots[path]:
            raise UserError(
                f"{path}: this is a result of the hardware '{hardware}', but lies in the folder of "
                f"'{roots[path]}'; name the folder '{hardware}'"
            )


def _machine(fingerprint: str, records: Mapping[Path, Record]) -> Machine:
    environments: list[dict[str, Any]] = [
        one.facts if one.stage == "machine" else one.facts.get("environment") or {}
        for one in records.values()
    ]
    cpu = next((name for one in environments if (name := processor(one))), "unknown CPU")
    devices = (record.settings.get("device") for record in records.values())
    threads = next((_threads(device) for device in devices if device), 0)
    return Machine(fingerprint, cpu, threads, len(records), next(iter(records)))


def _threads(device: str) -> int:
    try:
        return int(json.loads(device)["threads"])
    except (ValueError, KeyError, TypeError):
        return 0
