"""Collect what droplet search gained on the logs of all models, as a table and a figure."""

from __future__ import annotations

import csv
from abc import abstractmethod
from pathlib import Path

from rivulet import paths
from rivulet.droplet.study import GainRow
from rivulet.jobs.job import Job
from rivulet.report.droplet_chart import gain_chart
from rivulet.stages.stage import Stage
from rivulet.tables import read_table
from rivulet.workflow.settings import StageSettings


class CollectDroplet(Stage[StageSettings]):
    """One table of several with the same columns, on one hardware."""

    name = "collect-droplet"
    keys = ("hardware",)

    @property
    def label(self) -> str:
        """As of all that collects."""
        return "collect"

    @property
    @abstractmethod
    def tables(self) -> list[Path]:
        """The tables."""

    def inputs(self) -> list[Path]:
        """Their records."""
        return [table.with_suffix(".json") for table in self.tables]

    def work(self, job: Job) -> None:
        """Collect them."""
        rows, whole = [], self.path(f"{self.made}.csv")
        for path in self.tables:
            with path.open(newline="") as stream:
                header, *body = csv.reader(stream)
            rows += body
        with whole.open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        outputs = [whole, *self.drawn(whole)]
        job.tell(f"{len(rows)} rows in {whole}")
        self.write_record(outputs)

    def drawn(self, table: Path) -> list[Path]:
        """Draw figures of the table."""
        return []


class CollectGain(CollectDroplet):
    """What droplet search gained on the models' logs."""

    about = "Collect what droplet search gained on the logs of all models."
    made = paths.GAIN

    @property
    def tables(self) -> list[Path]:
        """One of each model."""
        pattern = f"{paths.GAIN_OF_MODEL}.csv"
        return [self.path(pattern, model=model) for model in self.plan.config.models]

    def drawn(self, table: Path) -> list[Path]:
        """Draw the gain over the budget."""
        figure = self.path(f"{paths.GAIN}.svg")
        title = f"What droplet search gains: {self['hardware']}"
        figure.write_text(gain_chart(read_table(GainRow, table), title), encoding="utf-8")
        return [figure]


STAGE = CollectGain
