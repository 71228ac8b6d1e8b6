"""Which files the report of a configuration is made of; the rules and the unfinished report ask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rivulet import methods
from rivulet.config.model import Config
from rivulet.methods import TRANSFER, method_of
from rivulet.paths import (
    BENCHMARK,
    BENCHMARK_KERNELS,
    CANDIDATES,
    EFFECT,
    GAIN,
    KERNELS,
    RANKING,
    ROOFLINE,
    TRIALS,
    Pattern,
    log_of,
)
from rivulet.workflow.choices import studies_effect, studies_gain
from rivulet.workflow.matrix import models_of, source_logs, transfers_of

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
    transfers = transfers_of(config)
    targets = dict.fromkeys(target for _, target in transfers)
    hardware = [{"hardware": name} for name in config.hardware]
    pairs = [
        {"log_kind": log, "trials": trials, "source": source, "target": target}
        for log, trials, (source, target) in product(config.logs, config.trials, transfers)
    ]
    histories = []
    for method in methods.own():
        models = [model for model in models_of(config, method) if model in targets]
        own = [{"trials": n, "model": model} for n, model in product(config.trials, models)]
        histories += _each(log_of(method) / TRIALS, hardware, own)
    for method in methods.moved():
        kinds = source_logs(config, method)
        moved = [one for one in pairs if one["log_kind"] in kinds]
        histories += _each(log_of(method) / TRIALS, hardware, moved)
    effects = studies_effect(config) and config.pair_list
    return ReportFiles(
        pair_tables=_each(BENCHMARK + ".csv", hardware, pairs),
        kernel_tables=_each(BENCHMARK_KERNELS + ".csv", hardware, pairs),
        candidates=_each(log_of(method_of(TRANSFER)) / CANDIDATES, hardware, pairs),
        kernels=_each(KERNELS + ".csv", hardware, [{"model": one} for one in config.models]),
        histories=histories,
        rankings=_each(RANKING + ".csv", hardware if transfers else []),
        rooflines=_each(ROOFLINE + ".csv", hardware if transfers else []),
        gains=_each(GAIN + ".csv", hardware if studies_gain(config) else []),
        effects=_each(EFFECT + ".csv", hardware if effects else []),
    )


def _each(
    pattern: Pattern,
    hardware: Sequence[Mapping[str, object]],
    others: Sequence[Mapping[str, object]] = ({},),
) -> list[str]:
    """A path for each hardware and each of the other values of its wildcards."""
    places = [pattern.at(**one) for one in hardware]
    return [place.format(**more) for place, more in product(places, others)]
