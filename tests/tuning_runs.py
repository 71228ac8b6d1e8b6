"""Each strategy's run, with what most tests have in common."""

from __future__ import annotations

import logging

from conftest import SEARCH
from rivulet.droplet import DropletSearch
from rivulet.schedules.space import REGISTER_TILES
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.transfer import TransferTuning
from rivulet.tuning import Session, TrialBudget, tune

LOGGER = logging.getLogger("test")


def quiet(*_):
    """Tell nobody."""


def run_search(
    kernels, target, trials, log, bench, *, settings=SEARCH, threads=1, milestones=(),
    space=REGISTER_TILES, report=quiet, logger=LOGGER,
):  # fmt: skip
    """Search, or resume the log's search; a line on each kernel without a schedule."""
    session = Session(
        kernels, target=target, threads=threads, log=log, bench=bench, logger=logger, report=report
    )
    strategy = EvolutionarySearch(SearchSettings(**settings), space=space)
    tune(strategy, session, TrialBudget(trials, milestones))
    return strategy.remarks()


def run_droplet(
    kernels, target, settings, source, walk, bench, *, threads=1, report=quiet, logger=LOGGER
):
    """Refine a log's schedules; the descents."""
    session = Session(
        kernels, target=target, threads=threads, log=walk, bench=bench, logger=logger, report=report
    )
    strategy = DropletSearch(settings, source)
    tune(strategy, session, TrialBudget(settings.trials))
    return strategy.descents


def run_transfer(
    kernels, sources, target, settings, logs, bench, scratch, *, space=REGISTER_TILES, threads=1,
    report=quiet, logger=LOGGER, untuned=None,
):  # fmt: skip
    """Transfer to some kernels; ``logs`` are those of what is measured and of what is chosen."""
    measured, chosen = logs
    session = Session(
        kernels, target=target, threads=threads, log=measured, bench=bench, logger=logger,
        report=report,
    )  # fmt: skip
    strategy = TransferTuning(settings, sources, scratch=scratch, space=space, untuned=untuned)
    tune(strategy, session)
    strategy.result.record(chosen, target)
    return strategy.result
