"""What all jobs of a run are given, in one file: the config, and what it was planned with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from rivulet.config.load import validate_config
from rivulet.config.model import Config
from rivulet.config.pairing import PairChoice
from rivulet.errors import UserError
from rivulet.hardware.fingerprint import Device, fingerprint
from rivulet.hardware.place import Connection
from rivulet.jobs.machine import FINGERPRINT_OF_NODE
from rivulet.paths import PLAN
from rivulet.provenance.record import write_atomically
from rivulet.tvm_compat import installed_version
from rivulet.workflow.choices import device_of, planned_hardware


@dataclass(frozen=True)
class Planned:
    """A hardware as it was when the jobs were planned.

    Attributes:
        device: The device as canonical JSON, with the threads that ``auto`` came to.
        fingerprint: Its fingerprint; of a cluster's nodes, which the planning machine cannot see,
            what stands for it.
    """

    device: str
    fingerprint: str


@dataclass(frozen=True)
class Plan:
    """The config, with the hardware and the TVM that jobs have to find again where they run.

    Attributes:
        config: The configuration.
        tvm: Version of TVM that results are planned for.
    """

    config: Config
    tvm: str = field(default_factory=installed_version)
    _planned: dict[str, Planned] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read what `write` wrote.

        Raises:
            UserError: The file is not there, or is no plan.
        """
        try:
            data = json.loads(path.read_text())
            planned = {name: Planned(**one) for name, one in data["hardware"].items()}
            config = validate_config(data["config"], places=data["places"])
            return cls(config, data["tvm"], planned)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: not readable as the plan of a run ({error}); every run of the workflow "
                "writes its own, and by hand a job takes --configfile instead"
            ) from error

    @property
    def path(self) -> Path:
        """Where it is written, by the config alone, so that every process of a run agrees."""
        digest = hashlib.sha256(self.config.canonical_json().encode()).hexdigest()
        return Path(PLAN.at(config=digest[:12]))

    def write(self) -> None:
        """Write it for the jobs."""
        planned = {name: vars(self.planned(name)) for name in planned_hardware(self.config)}
        # What a file says that the config names belongs to what was planned.
        choice = self.config.pairs
        places = choice.places if isinstance(choice, PairChoice) else {}
        data = {
            "tvm": self.tvm, "hardware": planned, "places": places, "config": self.config.plain
        }  # fmt: skip
        write_atomically(self.path, json.dumps(data, indent=1) + "\n")

    def planned(self, hardware: str) -> Planned:
        """A hardware of the config.

        Raises:
            UserError: The config wants of it what this machine has not.
        """
        if hardware not in self._planned:  # fingerprints are asked for thousands of times
            device = device_of(self.config, hardware)
            at_cluster = self.config.hardware[hardware].at == "cluster"
            digest = FINGERPRINT_OF_NODE if at_cluster else fingerprint(device)
            self._planned[hardware] = Planned(device.to_json(), digest)
        return self._planned[hardware]

    def device(self, hardware: str) -> Device:
        """The device to measure on, and how it is reached."""
        rpc = self.config.hardware[hardware].rpc
        connection = None if rpc is None else Connection(**rpc.model_dump(mode="json"))
        planned = Device.from_json(self.planned(hardware).device)
        return replace(planned, connection=connection)
