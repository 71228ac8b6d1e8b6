#!/usr/bin/env python3
"""Transfer a source model's schedules to a target model.

Inputs: both models' workloads, the source's log, and their records.
Outputs: the target's log of transferred schedules, candidates.csv, and their record.
"""

from dataclasses import asdict
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.kernels.kernel import covered_flops
from rivulet.measure.bench import Bench
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import publish
from rivulet.records.summary import log_facts
from rivulet.transfer import TransferSettings, transfer_schedules
from rivulet.transfer.table import covered_kernels, write_candidates
from rivulet.tvm_compat.arguments import model_weight_bytes


def transfer(job, options):
    """Transfer one pair."""
    settings = TransferSettings(**options.settings["transfer"])
    device = configured_device(options.settings)
    measuring = {**options.settings["measure"], **options.execution}
    with job.device("cpu"):
        target = resolve_target(device)
        kernels, sources = load_kernels(options.workloads), load_kernels(options.source_workloads)
        source = TuningLog(options.source_log, job.logger)
        log = TuningLog(job.scratch / "log", job.logger)
        progress = job.progress(len(kernels), "kernels")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        with Bench(target, device.threads, measuring, job.scratch, weights) as bench:
            rows = transfer_schedules(
                kernels, sources, target, settings, source, log, bench, progress.update, job.logger
            )
    outputs = [*publish(log.folder, options.out), options.out / "candidates.csv"]
    write_candidates(rows, outputs[-1])
    covered = covered_kernels([{k: str(v) for k, v in asdict(row).items()} for row in rows])
    facts = {
        **log_facts(kernels, log, "transfer"),
        "kernels_covered": len(covered),
        "flops_covered": round(covered_flops(kernels, covered), 6),
        "kernels_transferred": sum(row.chosen == "yes" and row.kind != "default" for row in rows),
        "code": stage_code("transfer"),
    }
    job.tell(
        f"{len(covered)} of {len(kernels)} kernels covered "
        f"({facts['flops_covered']:.0%} of FLOPs), "
        f"{facts['kernels_transferred']} faster than the default"
    )
    inputs = [options.kernels_record, options.source_kernels_record, options.source_record]
    write_record(
        options.record, "transfer", options.subject, options.settings, inputs, outputs, facts
    )


def main():
    """Run the command line."""
    command = Command("Reuse a source model's schedules on a target model's kernels.", "transfer")
    command.add("--workloads", type=Path, required=True, help="the target's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of its kernels")
    command.add("--source-workloads", type=Path, required=True, help="the source's workloads")
    command.add("--source-kernels-record", type=Path, required=True, help="record of its kernels")
    command.add("--source-log", type=Path, required=True, help="folder of the source's log")
    command.add("--source-record", type=Path, required=True, help="record of that log")
    command.add("--out", type=Path, required=True, help="folder of the transferred log")
    command.add_execution()
    return command.run(transfer)


if __name__ == "__main__":
    raise SystemExit(main())
