"""Budgets of trials that are too small for a model's kernels.

Imported whenever Snakemake reads the Snakefile, which each job does again: nothing heavy here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rivulet.errors import UserError
from rivulet.methods import ANSOR, method_of
from rivulet.paths import KERNELS, RECORD, log_of
from rivulet.provenance.record import read_record

if TYPE_CHECKING:
    from rivulet.config.model import Config


def budget_warning(trials: int, kernels: int) -> str | None:
    """What to say beforehand of a budget that leaves kernels without a chance; None if it fits."""
    if trials >= 2 * kernels:
        return None
    without = f", and {kernels - trials} get none at all" if trials < kernels else ""
    return (
        f"warning: {trials} trials are few for {kernels} kernels{without}; "
        f"the smallest sensible number is {2 * kernels}"
    )


def warn_of_small_budgets(config: Config, results: Path = Path("results")) -> None:
    """Say which searches still to be made have too few trials for their kernels, if known."""
    for line in small_budgets(config, results):
        print(line, file=sys.stderr)


def small_budgets(config: Config, results: Path) -> list[str]:
    """One line for each search whose budget is too small and whose log is not there yet.

    Args:
        config: The configuration.
        results: Folder of all results; it has the number of kernels of the models that were
            extracted already.
    """
    lines = []
    search = log_of(method_of(ANSOR)) / RECORD
    for hardware, one in config.hardware.items():
        if one.at == "elsewhere":
            continue  # searched there
        for model in config.models:
            path = (KERNELS + ".json").below(results, hardware=hardware, model=model)
            try:
                kernels = int(read_record(path).facts["kernels"])
            except (UserError, KeyError, ValueError):
                continue  # not extracted yet; the search itself says it then
            for trials in config.trials:
                warning = budget_warning(trials, kernels)
                log = search.below(results, hardware=hardware, trials=trials, model=model)
                if warning and not log.exists():
                    lines.append(f"{warning} (model {model} on {hardware})")
    return lines
