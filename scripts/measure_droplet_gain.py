#!/usr/bin/env python3
"""What droplet search gained on one model's logs, beside Ansor's search gone on for as long.

Inputs: the model's workloads, its logs with and without droplet of every trial count, a log of
Ansor's search that goes further, and their records.
Outputs: one row per trial count and budget of droplet, and a record with every sample.
"""

import math
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.droplet.moves import MOVES, modules_after
from rivulet.droplet.study import GainRow
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.side_by_side import measure_side_by_side, slower_and_faster, sum_ratio
from rivulet.measure.statistics import median
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records.files import TRIALS
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.records.trials import read_trials
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import model_weight_bytes

BUDGET_SHARES = (0.25, 0.5, 1.0)


class Step:
    """Droplet search on the log of one trial count, as it was after part of its budget.

    Attributes:
        count: The trial count.
        budget: Candidates that droplet search had measured.
        whole: Whether that is all it measured.
        before_s: Seconds of Ansor's search up to the trial count.
        droplet_s: Seconds of droplet search up to the budget.
        equal_trials: Trials of Ansor's search that cost as many candidates.
        equal_seconds: Trials that Ansor's search had after as much time; None where its log ends
            before.
    """

    def __init__(self, count, budget, whole, before_s, droplet_s, further):
        self.count, self.budget, self.whole = count, budget, whole
        self.before_s, self.droplet_s = before_s, droplet_s
        self.equal_trials = count + budget if count + budget <= len(further) else None
        total = before_s + droplet_s
        within = sum(trial.elapsed_s <= total for trial in further)
        self.equal_seconds = within if within < len(further) else None


def gain(job, options):
    """Measure one model."""
    settings = options.settings
    device = configured_device(settings)
    further = read_trials(options.further / TRIALS)
    steps = [
        step
        for ansor, droplet in zip(options.ansor, options.droplet, strict=True)
        for step in steps_of(ansor, droplet, further)
    ]
    droplets = {trials_of(folder): folder for folder in options.droplet}
    with job.measuring(device):
        load_tvm(device.threads)
        target, state = resolve_target(device), environment(device)
        kernels = load_kernels(options.workloads)
        variants = all_variants(job, options, kernels, steps, droplets)
        progress = job.progress(len(kernels), "kernels")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        measuring = {**settings["measure"], **options.execution}
        # Kernels that a log has no schedule of run with default loops, which may be very slow.
        measuring["run_timeout_s"] = max(120.0, measuring["run_timeout_s"])
        with Bench(
            target, device.threads, measuring, job.scratch, weights, location=device.location
        ) as bench:
            samples = measure_side_by_side(
                kernels, variants, bench, settings["rounds"], settings["seed"], progress.update
            )
    rows = [row_of(options, step, samples, kernels) for step in steps]
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_table(GainRow, rows, options.table)
    for row in rows:
        job.tell(
            f"{row.droplet_trials} trials of droplet after {row.ansor_trials}: {row.gain}x "
            f"({row.gain_low}-{row.gain_high})"
        )
    facts = {
        "environment": state,
        "kernels": [kernel.task for kernel in kernels],
        "samples_s": {n: [one for _, one in weighted] for n, weighted in samples.items()},
        "code": stage_code("gain"),
    }
    inputs = [options.kernels_record, *options.machine, *(f / "log.json" for f in options.ansor)]
    inputs += [*(f / "log.json" for f in options.droplet), options.further / "log.json"]
    write_record(options.record, "gain", options.subject, settings, inputs, [options.table], facts)


def trials_of(folder):
    """The trial count that a log's record tells."""
    return int(read_record(folder / "log.json").subject["trials"])


def steps_of(ansor, droplet, further):
    """The budgets of droplet search at which one log is looked at."""
    facts = read_record(ansor / "log.json").facts
    made = [t for t in read_trials(droplet / TRIALS) if t.strategy == "droplet"]
    whole = read_record(droplet / "log.json").facts
    steps = []
    for share in BUDGET_SHARES:
        budget = math.ceil(share * len(made))
        if not budget or any(step.budget == budget for step in steps):
            continue
        last = budget == len(made)
        seconds = whole["search_seconds"] if last else made[budget - 1].elapsed_s
        steps.append(
            Step(trials_of(ansor), budget, last, facts["search_seconds"], seconds, further)
        )
    return steps


def all_variants(job, options, kernels, steps, droplets):
    """Scheduled modules of every variant that some step compares, by its name."""
    counts = {step.count for step in steps}
    for step in steps:
        counts |= {step.equal_trials, step.equal_seconds} - {None}
    variants = {f"ansor-{n}": best_after(job, options.further, kernels, n) for n in sorted(counts)}
    for step in steps:
        before = variants[f"ansor-{step.count}"]
        if step.whole:
            found = best_of(job, droplets[step.count], kernels)
        else:
            found = before | modules_after(droplets[step.count] / MOVES, kernels, step.budget)
        variants[f"droplet-{step.count}-{step.budget}"] = found
    return variants


def best_after(job, folder, kernels, count):
    """Ansor's best schedules after some trials."""
    place = job.scratch / f"first-{count}"
    publish(folder, place, count)
    return best_of(job, place, kernels)


def best_of(job, folder, kernels):
    """Best schedules of a log."""
    thinned = job.scratch / f"best-of-{folder.parent.name}-{folder.name}"
    return open_thinned(read_log(folder), thinned, 1, logger=job.logger).best_modules(kernels)


def row_of(options, step, samples, kernels):
    """What a step shows."""
    settings = options.settings
    before, after = samples[f"ansor-{step.count}"], samples[f"droplet-{step.count}-{step.budget}"]

    def against(column, verdict, trials):
        """The columns of one comparison with the log after some trials, where it goes so far."""
        if trials is None:
            return {column: None, f"{column}_low": None, f"{column}_high": None, verdict: ""}
        found = sum_ratio(
            samples[f"ansor-{trials}"], after, settings["confidence"],
            settings["bootstrap_resamples"], settings["seed"],
        )  # fmt: skip
        return {
            column: round(found.value, 4),
            f"{column}_low": round(found.low, 4),
            f"{column}_high": round(found.high, 4),
            verdict: found.verdict,
        }

    slower, faster = slower_and_faster(before, after, settings["significance"])
    return GainRow(
        hardware=options.subject["hardware"],
        model=options.subject["model"],
        ansor_trials=step.count,
        droplet_trials=step.budget,
        ansor_seconds=round(step.before_s, 3),
        droplet_seconds=round(step.droplet_s, 3),
        ansor_ms=total_ms(before),
        droplet_ms=total_ms(after),
        **against("gain", "gain_verdict", step.count),
        equal_trials=step.equal_trials,
        **against("vs_equal_trials", "equal_trials_verdict", step.equal_trials),
        equal_seconds_trials=step.equal_seconds,
        **against("vs_equal_seconds", "equal_seconds_verdict", step.equal_seconds),
        kernels=len(kernels),
        kernels_faster=faster,
        kernels_slower=slower,
    )


def total_ms(weighted):
    """Weighted sum of the kernels' median latencies, in milliseconds."""
    return round(sum(weight * median(samples) for weight, samples in weighted) * 1e3, 6)


def main():
    """Run the command line."""
    command = Command("Measure what droplet search gained on a model's logs.", "gain")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--ansor", type=Path, nargs="+", required=True, help="folders of Ansor's logs")
    command.add(
        "--droplet", type=Path, nargs="+", required=True,
        help="folders of the logs with droplet, in the same order",
    )  # fmt: skip
    command.add(
        "--further", type=Path, required=True, help="folder of Ansor's log that goes furthest"
    )
    command.add("--table", type=Path, required=True, help="CSV to write")
    command.add_execution()
    return command.run(gain)


if __name__ == "__main__":
    raise SystemExit(main())
