"""Rank the sources of each target by the benefit to expect, before any transfer is measured."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

from rivulet import paths
from rivulet.jobs.job import Job
from rivulet.kernels import load_kernels
from rivulet.kernels.structure import kernel_structure
from rivulet.provenance.code import stage_code
from rivulet.records.best import best_of_workloads
from rivulet.records.stored import read_log
from rivulet.stages.donors import donor_files, donor_kernels
from rivulet.stages.stage import Stage
from rivulet.transfer.ranking import KnownKernel, rank_sources, write_ranking
from rivulet.workflow.choices import ranked_models
from rivulet.workflow.settings import Ranking


class RankSources(Stage[Ranking]):
    """The ranking, of all kinds of logs and trial counts."""

    name = "ranking"
    about = "Rank the sources of each target by the benefit to expect."
    keys = ("hardware",)
    made = paths.RANKING
    anywhere = True

    @property
    def models(self) -> list[str]:
        """The models that some transfer takes from or goes to."""
        return ranked_models(self.plan.config)

    def _logs(self, kind: str, trials: int) -> dict[str, Path]:
        return {
            model: self.path(paths.OWN_LOG, own_log=kind, trials=trials, model=model)
            for model in self.models
        }

    def inputs(self) -> list[Path]:
        """The kernels, the logs, and the donors."""
        config = self.plan.config
        kernels = [self.path(f"{paths.KERNELS}.json", model=model) for model in self.models]
        logs = [
            log / paths.RECORD
            for kind, trials in product(config.logs, config.trials)
            for log in self._logs(kind, trials).values()
        ]
        return [*kernels, *logs, *donor_files(self.settings.donors)]

    def work(self, job: Job) -> None:
        """Rank the sources on one hardware."""
        rows, config = [], self.plan.config
        with job.device("cpu", shared=True):
            models = {m: load_kernels(self.path(paths.WORKLOADS, model=m)) for m in self.models}
            structures = {
                kernel.workload: kernel_structure(kernel.module)
                for kernels in models.values() for kernel in kernels
            }  # fmt: skip
            donors = donor_kernels(job, self.settings.donors, self.settings.record())
            for kind, trials in sorted(product(config.logs, config.trials)):
                known = {}
                for model, folder in self._logs(kind, trials).items():
                    best = best_of_workloads(read_log(folder))
                    known[model] = [
                        KnownKernel(
                            k.workload, structures[k.workload], k.flops, k.weight,
                            *best.get(k.workload, (math.inf, 0)),
                        )
                        for k in models[model]
                    ]  # fmt: skip
                for target, kernels in known.items():
                    sources = {n: k for n, k in {**known, **donors}.items() if n != target}
                    rows += rank_sources(kind, trials, target, kernels, sources=sources)
        table = self.output(".csv")
        write_ranking(rows, table)
        for row in rows:
            if row.place == 1:
                job.tell(
                    f"{row.log}-{row.trials}, {row.target}: {row.source} is expected to be best"
                )
        self.write_record([table], {"code": stage_code("ranking")})


STAGE = RankSources
