"""The description of a cluster's node: what a hardware name stands for that is not this machine.

The machine that plans the workflow cannot look at the nodes. So the first job of a hardware
describes the node that it runs on, and every later one compares its own node with that.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.fingerprint import Device, describe, fingerprint
from rivulet.provenance.record import read_record
from rivulet.tvm_compat import installed_version

MACHINE_FILE = "machine.json"
# Stands for the fingerprint of a cluster's nodes in what is planned: the machine that plans cannot
# know it, and all that plan must agree. The jobs put the true one in its place.
FINGERPRINT_OF_NODE = "of the node, in machine.json"


def node_name() -> str:
    """Name of this machine, as the cluster calls it where there is one."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def describe_node(device: Device) -> dict[str, Any]:
    """Facts of the node that a hardware name is to stand for.

    Returns:
        What `rivulet.hardware.fingerprint.describe` says, the ``fingerprint``, the ``tvm``
        version and the ``host`` on which it was seen.

    Raises:
        UserError: The job has fewer CPUs here than the device has threads.
    """
    if device.threads > usable_cpus():
        raise UserError(
            f"hardware.{device.name}.threads: {device.threads} threads asked for, but a job on "
            f"node {node_name()} may use {usable_cpus()} CPU(s) only; lower it, or send the jobs "
            "to larger nodes (partition and constraint in profiles/slurm/config.yaml)"
        )
    return {
        **describe(device),
        "fingerprint": fingerprint(device),
        "tvm": installed_version(),
        "host": node_name(),
    }


def read_machine(path: Path) -> dict[str, Any]:
    """Read the facts that `describe_node` gave.

    Raises:
        UserError: The file is not there, or is no such description.
    """
    facts = read_record(path).facts
    if not isinstance(facts.get("fingerprint"), str):
        raise UserError(
            f"{path}: the machine's fingerprint is missing; delete the file, and the workflow "
            "makes it again"
        )
    return facts


def fingerprint_on_node(device: Device, path: Path, compare: bool = True) -> str:
    """The fingerprint of the machine that a job is for, which planning could not know.

    Args:
        device: The device as planned.
        path: The description of the machine.
        compare: Whether the job has to run on such a machine.

    Raises:
        UserError: It has to, and this node is another one.
    """
    facts = read_machine(path)
    if compare:
        _compare(device, facts, path)
    return str(facts["fingerprint"])


def _compare(device: Device, facts: dict[str, Any], path: Path) -> None:
    here, found = describe(device), fingerprint(device)
    if found == facts["fingerprint"]:
        return
    differences = ", ".join(sorted(key for key in here if here[key] != facts.get(key)))
    raise UserError(
        f"hardware '{device.name}': node {node_name()} has the CPU {here['cpu']} (fingerprint "
        f"{found}), but the name stands for {facts.get('cpu')} (fingerprint "
        f"{facts['fingerprint']}, seen on node {facts.get('host')}, {path}); they differ in "
        f"{differences or 'a way that the file does not tell'}; nothing was measured; send the "
        f"jobs of '{device.name}' to nodes of one kind (partition and constraint in "
        "profiles/slurm/config.yaml), or give the other nodes a hardware name of their own"
    )
