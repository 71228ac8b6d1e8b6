#!/usr/bin/env python3
"""Describe the node of a cluster that a hardware name stands for.

Inputs: none but the node itself; nothing is compiled or measured.
Outputs: the description, which is a record with no other file.
"""

import os

import _bootstrap  # noqa: F401
from rivulet.hardware import Device
from rivulet.jobs.cli import Command
from rivulet.jobs.machine import describe_node
from rivulet.provenance import write_record


def describe(job, options):
    """Describe the node that the job runs on."""
    facts = describe_node(Device.from_json(options.settings["device"]))
    write_record(options.record, "machine", options.subject, options.settings, [], [], facts)
    job.tell(
        f"{facts['cpu']}, {facts['threads']} thread(s), fingerprint {facts['fingerprint']}, "
        f"seen on node {facts['host']}"
    )
    if "SLURM_JOB_ID" not in os.environ:
        hardware = options.subject.get("hardware", "it")
        job.tell(
            f"note: this is no job of SLURM, so '{hardware}' stands for this machine from now on; "
            f"if it should not, delete {options.record} and start with --profile profiles/slurm"
        )


def main():
    """Run the command line."""
    return Command("Describe the cluster's node that a hardware name stands for.", "machine").run(
        describe
    )


if __name__ == "__main__":
    raise SystemExit(main())
