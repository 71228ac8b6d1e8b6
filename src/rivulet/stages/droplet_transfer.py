"""Refine what a transfer has taken by droplet search."""

from __future__ import annotations

from pathlib import Path

from rivulet import paths
from rivulet.methods import TRANSFER, TRANSFER_DROPLET, method_of
from rivulet.stages.droplet import Refinement
from rivulet.stages.pair import PairLogStage
from rivulet.workflow.settings import Refining

_MOVED = method_of(TRANSFER_DROPLET).folder


class DropletAfterTransfer(Refinement, PairLogStage[Refining]):
    """Of a transfer's log; all schedules that it measured are places to begin from."""

    about = "Refine the schedules of a transfer by coordinate descent."
    made = paths.MOVED_LOG.at(moved=_MOVED)
    journal = paths.MOVED_JOURNAL.at(moved=_MOVED)

    @property
    def source(self) -> Path:
        """The transfer's log."""
        return self.path(paths.MOVED_LOG, moved=TRANSFER)

    @property
    def more(self) -> list[Path]:
        """All that the transfer measured."""
        return [self.source / paths.MEASURED]


STAGE = DropletAfterTransfer
