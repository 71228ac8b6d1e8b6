"""Process: Rivulet's search, as the workflow's search command runs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from comparison.histories import MeasuredTrial
from comparison.prepare import load_for_extraction
from rivulet.measure.statistics import median
from rivulet.records import Trial, TuningLog

LOG = "log"


class TimedLog(TuningLog):
    """A log that notes when each trial was measured, counted from the start of the process."""

    def __init__(self, folder: Path, logger: logging.Logger, child: Child) -> None:
        super().__init__(folder, logger)
        self._child = child
        self.measured: list[MeasuredTrial] = []

    def append(self, trials: Sequence[Trial]) -> None:
        """Append rows, and note when each was measured.

        A batch is recorded when its last candidate was timed; those before it were timed one
        after the other.
        """
        at = self._child.elapsed()
        super().append(trials)
        later = sum(trial.run_s for trial in trials)
        for trial in trials:
            later -= trial.run_s
            samples = json.loads(trial.samples_us)
            latency = median(samples) * 1e-6 if samples and not trial.error else None
            self.measured.append(MeasuredTrial(at - later, trial.kernel, latency))
        self._child.count(len(trials))


def search(child: Child) -> dict[str, Any]:
    """Search from nothing and return the trials with their times."""
    from rivulet.hardware.target import resolve_target
    from rivulet.kernels.extract import extract_kernels
    from rivulet.measure.bench import Bench
    from rivulet.search import EvolutionarySearch, SearchSettings
    from rivulet.tuning import Session, TrialBudget, tune
    from rivulet.tvm_compat.arguments import model_weight_bytes

    spec, device = child.spec, child.device
    target = resolve_target(device)
    # The stock tuner extracts the kernels itself, so this search does not get them for nothing.
    kernels = extract_kernels(load_for_extraction(child.other("prepared")), target)
    log = TimedLog(child.folder / LOG, child.logger, child)
    weights = model_weight_bytes((k.module, k.weight) for k in kernels)
    with Bench(
        target, device.threads, spec["measure"], child.scratch, model_weights=weights
    ) as bench:
        session = Session(
            kernels, target=target, threads=device.threads, log=log, bench=bench,
            logger=child.logger,
        )  # fmt: skip
        settings = SearchSettings(**{**spec["search"], "seed": spec["seed"]})
        tune(EvolutionarySearch(settings), session, TrialBudget(spec["trials"]))
    return {"trials": [trial.as_json() for trial in log.measured]}


if __name__ == "__main__":
    raise SystemExit(serve(search))
