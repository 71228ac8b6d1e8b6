"""Describe the node of a cluster that a hardware name stands for; nothing is measured."""

from __future__ import annotations

import os
from pathlib import Path

from rivulet import paths
from rivulet.hardware import Device
from rivulet.jobs.job import Job
from rivulet.jobs.machine import describe_node
from rivulet.stages.stage import Stage
from rivulet.workflow.settings import OnHardware


class DescribeMachine(Stage[OnHardware]):
    """The description, which is a record with no other file."""

    name = "machine"
    about = "Describe the cluster's node that a hardware name stands for."
    keys = ("hardware",)
    made = paths.MACHINE

    def machine_files(self) -> list[Path]:
        """None: this makes it."""
        return []

    def work(self, job: Job) -> None:
        """Describe the node that the job runs on."""
        facts = describe_node(Device.from_json(self.settings.device))
        self.write_record([], facts)
        job.tell(
            f"{facts['cpu']}, {facts['threads']} thread(s), fingerprint {facts['fingerprint']}, "
            f"seen on node {facts['host']}"
        )
        if "SLURM_JOB_ID" not in os.environ:
            job.tell(
                f"note: this is no job of SLURM, so '{self['hardware']}' stands for this machine "
                f"from now on; if it should not, delete {self.record} and start with --profile "
                "profiles/slurm"
            )


STAGE = DescribeMachine
