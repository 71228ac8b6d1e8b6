"""Mend all files of a log, and say once for each what was set aside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from rivulet.records.files import TRIALS, finish_replacement
from rivulet.records.recover import mend_database, scan_database
from rivulet.records.trials import mend_trials, scan_trials


def mend_files(folder: Path, logger: logging.Logger | None) -> None:
    """Set aside what can be seen to be damaged without TVM."""
    finish_replacement(folder)
    warn(folder, mend_database(scan_database(folder)), logger)
    mend_trial_table(folder, logger)


def mend_trial_table(folder: Path, logger: logging.Logger | None) -> None:
    """Set aside the damaged rows of ``trials.csv``, and put its header right."""
    scan = scan_trials(folder / TRIALS)
    count = mend_trials(scan)
    if scan.header and logger is not None:
        text = "%s: %s; %d unusable line(s) set aside in %s.damaged; the rest is used"
        logger.warning(text, folder / TRIALS, scan.header, count, TRIALS)
    else:
        warn(folder, {TRIALS: count}, logger)


def warn(folder: Path, aside: Mapping[str, int], logger: logging.Logger | None) -> None:
    """Say of each file how many of its lines were set aside, if any."""
    for name, count in aside.items():
        if count and logger is not None:
            text = "%s: %d unusable line(s) set aside in %s.damaged; the rest is used"
            logger.warning(text, folder / name, count, name)
