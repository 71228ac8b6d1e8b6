"""Which files the report of a configuration is made of; the rules and the unfinished report ask."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rivulet.config.model import Config
from rivulet.workflow.stages import (
    refines_transfers,
    studies_effect,
    studies_gain,
    transfer_names,
    warm_targets,
)

if TYPE_CHECKING:
    from rivulet.report.inputs import ReportInputs


@dataclass(frozen=True)
class ReportFiles:
    """Paths of all tables and records behind a report, each kind in the order of the config.

    Attributes:
        pair_tables: Benchmark tables of pairs.
        kernel_tables: Their kernel tables.
        candidates: Candidates of transfers.
        kernels: Kernel tables of models.
        histories: Trials of all searches and transfers.
        rankings: Rankings of sources.
        rooflines: Rooflines of the machines.
        gains: Gains of droplet search.
        effects: Effects of droplet search around transfers.
    """

    pair_tables: list[str]
    kernel_tables: list[str]
    candidates: list[str]
    kernels: list[str]
    histories: list[str]
    rankings: list[str]
    rooflines: list[str]
    gains: list[str]
    effects: list[str]

    @property
    def pair_records(self) -> list[str]:
        """The records beside the pairs' tables."""
        return [f"{table.removesuffix('.csv')}.json" for table in self.pair_tables]

    def all(self) -> list[str]:
        """All of them."""
        return [path for one in fields(self) for path in getattr(self, one.name)]

    def inputs(self, benchmarks: Path, config: Config, commit: str) -> ReportInputs:
        """The report's inputs.

        Args:
            benchmarks: The collected table.
            config: The configuration.
            commit: Git commit of the workflow, or ``unknown``.
        """

        # Every plan asks for files, and only the report for more.
        from rivulet.report.inputs import ReportInputs

        def paths(names: list[str]) -> list[Path]:
            return [Path(name) for name in names]

        return ReportInputs(
            benchmarks=benchmarks,
            pair_records=paths(self.pair_records),
            candidates=paths(self.candidates),
            kernels=paths(self.kernels),
            histories=paths(self.histories),
            rankings=paths(self.rankings),
            config_json=json.dumps(config.plain, indent=1),
            commit=commit,
            gains=paths(self.gains),
            effects=paths(self.effects),
            kernel_tables=paths(self.kernel_tables),
            rooflines=paths(self.rooflines),
        )

    def present(self) -> ReportFiles:
        """Those that are there."""
        kept = {
            one.name: [path for path in getattr(self, one.name) if Path(path).exists()]
            for one in fields(self)
        }
        # A table whose record is missing was cut off.
        for kind in ("pair_tables", "rankings", "rooflines", "gains", "effects"):
            kept[kind] = [p for p in kept[kind] if Path(p).with_suffix(".json").exists()]
        return ReportFiles(**kept)


def report_files(config: Config) -> ReportFiles:
    """The files behind the report of a whole, finished run."""
    transfers = transfer_names(config)
    targets = [m for m in config.models if any(t.endswith(f"-to-{m}") for t in transfers)]
    roots = [f"results/{name}" for name in config.hardware]
    places = [
        (f"{log}-{trials}/{pair}")
        for log, trials, pair in product(config.logs, config.trials, transfers)
    ]
    folders = [f"{root}/transfer/{place}" for root, place in product(roots, places)]
    own = ["ansor", "droplet"]
    warm = warm_targets(config)
    refined = transfers if refines_transfers(config) else []
    pairs = [f"{source}-to-{target}" for source, target in config.pair_list]
    return ReportFiles(
        pair_tables=[f"{root}/benchmarks/{place}.csv" for root, place in product(roots, places)],
        kernel_tables=[
            f"{root}/benchmarks/{log}-{trials}/kernels/{pair}.csv"
            for root, log, trials, pair in product(roots, config.logs, config.trials, transfers)
        ],
        candidates=[f"{folder}/candidates.csv" for folder in folders],
        kernels=[f"{root}/kernels/{model}.csv" for root, model in product(roots, config.models)],
        histories=[
            *(
                f"{root}/logs/{log}-{trials}/{model}/trials.csv"
                for root, log, trials, model in product(roots, own, config.trials, targets)
            ),
            *(
                f"{root}/logs/warm-{trials}/{model}/trials.csv"
                for root, trials, model in product(roots, config.trials, warm)
            ),
            *(f"{folder}/trials.csv" for folder in folders),
            *(
                f"{root}/transfer-droplet/ansor-{trials}/{pair}/trials.csv"
                for root, trials, pair in product(roots, config.trials, refined)
            ),
        ],
        rankings=[f"{root}/transfer/ranking.csv" for root in roots] if transfers else [],
        rooflines=[f"{root}/roofline.csv" for root in roots] if transfers else [],
        gains=[f"{root}/droplet_gain.csv" for root in roots] if studies_gain(config) else [],
        effects=(
            [f"{root}/droplet_effect.csv" for root in roots]
            if studies_effect(config) and pairs
            else []
        ),
    )
