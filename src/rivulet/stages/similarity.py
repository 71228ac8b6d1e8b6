"""Rank the sources of each target by how alike their kernels are; no log is needed."""

from __future__ import annotations

from pathlib import Path

from rivulet import paths
from rivulet.jobs.job import Job
from rivulet.kernels import load_kernels
from rivulet.kernels.structure import kernel_structure
from rivulet.provenance.code import stage_code
from rivulet.stages.donors import donor_files, donor_kernels
from rivulet.stages.stage import Stage
from rivulet.transfer.ranking import KnownKernel
from rivulet.transfer.similarity import compare_sources, write_similarity
from rivulet.workflow.settings import Ranking


class CompareKernels(Stage[Ranking]):
    """The ranking, which ``pairs: {ranking: FILE}`` reads a copy of."""

    name = "similarity"
    about = "Rank the sources of each target by how alike their kernels are."
    keys = ("hardware",)
    made = paths.SIMILARITY
    anywhere = True

    def inputs(self) -> list[Path]:
        """The kernels of all models, and the donors."""
        models = self.plan.config.models
        kernels = [self.path(f"{paths.KERNELS}.json", model=model) for model in models]
        return [*kernels, *donor_files(self.settings.donors)]

    def work(self, job: Job) -> None:
        """Compare the models' kernels on one hardware."""
        with job.device("cpu", shared=True):
            models = {
                model: [
                    KnownKernel(k.workload, kernel_structure(k.module), k.flops, k.weight)
                    for k in load_kernels(self.path(paths.WORKLOADS, model=model))
                ]
                for model in self.plan.config.models
            }
            donors = donor_kernels(job, self.settings.donors, self.settings.record())
            rows = compare_sources(models, donors)
        table = self.output(".csv")
        write_similarity(rows, table)
        job.tell(f"{len(rows)} pairs of {len(models)} models ranked in {table}")
        self.write_record([table], {"code": stage_code("similarity")})


STAGE = CompareKernels
