"""Process: Rivulet's droplet and upstream's on the same log, both winners timed again in turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from comparison.post_opt import WINNERS
from rivulet.droplet import DropletSearch, DropletSettings, read_source
from rivulet.droplet.settle import settle_all
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.side_by_side import measure_side_by_side
from rivulet.records import TuningLog
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tvm_compat.arguments import model_weight_bytes

WALK = "walk"


def refine(child: Child) -> dict[str, Any]:
    """Refine the log within as many trials as upstream took, and measure both sides' winners."""
    from rivulet.hardware.target import resolve_target

    spec, threads = child.spec, child.device.threads
    target = resolve_target(child.device)
    kernels = load_kernels(Path(spec["workloads"]))
    settings = DropletSettings(**{**spec["droplet"], "trials": spec["trials"]})
    weights = model_weight_bytes((k.module, k.weight) for k in kernels)
    patient = {**spec["measure"], "run_timeout_s": 120.0}
    with Bench(
        target, threads, patient, child.scratch, model_weights=weights, keep_built=True
    ) as bench:
        source = read_source(
            Path(spec["source"]), kernels, child.scratch, True, logger=child.logger
        )
        walk = TuningLog(child.folder / WALK, child.logger)
        session = Session(
            kernels, target=target, threads=threads, log=walk, bench=bench, logger=child.logger,
            report=lambda done, text: child.count(),
        )  # fmt: skip
        strategy = DropletSearch(settings, source)
        tune(strategy, session, TrialBudget(settings.trials))
        settled = settle_all(
            strategy.descents, settings, bench, child.logger.info, logger=child.logger
        )
        seconds = child.elapsed()
        winners = read_log(child.other("upstream") / WINNERS)
        theirs = open_thinned(winners, child.scratch / "upstream", logger=child.logger)
        begun = [one.descent for one in settled if one.descent.begun is not None]
        taken = {one.descent.kernel.task for one in settled if one.winner is not None}
        start = {d.kernel.task: d.begun.mod for d in begun}
        variants: dict[str, dict[str, Any]] = {
            "start": start,
            "ours": start | {d.kernel.task: d.best.mod for d in begun if d.kernel.task in taken},
            "upstream": theirs.best_modules(d.kernel for d in begun),
        }
        samples = measure_side_by_side(
            kernels,
            variants,
            bench,
            spec["rounds"],
            seed=spec["seed"],
            report=lambda number, text: None,
        )
    return {
        "seconds": seconds,
        "trials": sum(d.trials for d in strategy.descents),
        "kernels": [
            {
                "task": kernel.task, "weight": kernel.weight,
                "samples": {name: samples[name][number][1] for name in variants},
            }
            for number, kernel in enumerate(kernels)
        ],
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(serve(refine))
