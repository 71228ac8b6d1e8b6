"""Arguments that all commands of the workflow share."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware import Device, fingerprint
from rivulet.hardware.place import Connection
from rivulet.jobs.job import Job, run_job
from rivulet.jobs.machine import FINGERPRINT_OF_NODE, settings_on_node
from rivulet.tvm_compat import installed_version

# JSON: name of hardware to its ``rpc`` settings.
CONNECTIONS = "RIVULET_CONNECTIONS"
_EXECUTION = '{"build_workers": "auto", "worker_max_uses": 500, "worker_memory_gib": 4}'


class Command:
    """The command line of one stage.

    Args:
        description: What ``--help`` says first.
        stage: Name of the stage.
        anywhere: Whether the job may run on any machine, because nothing of it depends on where.
    """

    def __init__(self, description: str, stage: str, anywhere: bool = False) -> None:
        self.stage = stage
        self._anywhere = anywhere
        self._parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        self.add = self._parser.add_argument
        self.add(
            "--subject", nargs="+", default=[], metavar="KEY=VALUE",
            help="what the artefact is about, for its record, such as model=resnet18",
        )  # fmt: skip
        self.add("--settings", type=json_argument, default={}, help="the stage's settings, as JSON")
        self.add("--record", type=Path, required=True, help="record of the artefact, to be written")
        self.add(
            "--machine", type=Path, nargs="*", default=[], metavar="FILE",
            help="description of the machine that the hardware's name stands for, where that is "
            "a cluster's node",
        )  # fmt: skip
        self.add("--log", type=Path, help="log file; without it everything goes to the terminal")

    def add_execution(self) -> None:
        """Add ``--execution``: settings that change how work is done and not what comes out."""
        self.add(
            "--execution", type=json_argument,
            default=os.environ.get("RIVULET_EXECUTION", _EXECUTION),
            help="number, lifetime and memory of workers, as JSON",
        )  # fmt: skip

    def run(self, work: Callable[[Job, argparse.Namespace], None]) -> int:
        """Parse the arguments, run ``work`` as a job, return the exit status."""
        options = self._parser.parse_args()
        options.subject = dict(pair.split("=", 1) for pair in options.subject)
        name = options.subject.get("name") or options.subject.get("model", "")
        label = " ".join(filter(None, (self.stage, options.subject.get("what"), name)))

        if options.settings.get("fingerprint") != FINGERPRINT_OF_NODE:
            options.machine = []  # the hardware is the machine that planned

        def on_machine(job: Job) -> None:
            for path in options.machine:
                options.settings = settings_on_node(options.settings, path, not self._anywhere)
            work(job, options)

        return run_job(label, options.log, on_machine)


def configured_device(settings: dict[str, Any]) -> Device:
    """The device that the settings name, after checking that this machine is still it.

    How a device over RPC is reached is read from the environment (`CONNECTIONS`): it changes no
    result, and is no setting of any stage.

    Raises:
        UserError: This machine, its thread count or TVM is another one than when the workflow
            was planned, so that a measurement here would go under a wrong name.
    """
    device = Device.from_json(settings["device"])
    if not device.is_here:
        connections = json.loads(os.environ.get(CONNECTIONS, "{}"))
        if device.name in connections:
            device = replace(device, connection=Connection(**connections[device.name]))
    found = fingerprint(device)
    if found != settings["fingerprint"]:
        raise UserError(
            f"hardware '{device.name}': this machine has the fingerprint {found}, but the job was "
            f"planned for {settings['fingerprint']}; run it on the machine that the name stands "
            "for, or give this machine a name of its own in the config; a cluster's nodes are "
            "'at: cluster' there"
        )
    if installed_version() != settings["tvm"]:
        raise UserError(
            f"this job was planned for TVM {settings['tvm']}, but {installed_version()} is "
            "installed here; use the same environment everywhere"
        )
    return device


def pattern_argument(text: str) -> re.Pattern[str]:
    """A regular expression on the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {error}") from error


def json_argument(text: str) -> Any:
    """Read an argument that is JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
