"""Milestones: one search that only grows, published at several numbers of trials.

The search with 1,000 trials is the search with 500 trials, gone on with. So all trial counts of
a model share one log, and a sweep costs what its largest member costs. What ties a log to a
trial count all the same is its beginning: the first round of each kernel is sized so that the
budget suffices for all kernels, and a budget must not be served from a log whose first rounds
are larger than its own would be. Logs of one journal are therefore told apart by that size.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rivulet.provenance.record import write_atomically
from rivulet.records.stored import log_trials

_MILESTONES = "milestones.json"
_NAME = re.compile(r"first-round-(\d+)")


def chain_folder(journal: Path, own: int, planned: int) -> tuple[Path, int]:
    """The log that a milestone is taken from, and the size of first rounds in it.

    A log that was begun is gone on with where it fits, whichever milestones the config names
    now, so that adding and removing some changes nothing for the others.

    Args:
        journal: Folder of the logs of one model under one set of conditions.
        own: Size of first rounds that suits the milestone.
        planned: Size that suits the smallest milestone of the config, for a log that is new.
    """
    begun = [
        int(match[1])
        for folder in journal.iterdir()
        if (match := _NAME.fullmatch(folder.name)) and log_trials(folder)
    ]
    size = max((size for size in begun if size <= own), default=min(own, planned))
    folder = journal / f"first-round-{size}"
    folder.mkdir(exist_ok=True)
    return folder, size


def remember_milestone(folder: Path, trials: int, facts: dict[str, Any]) -> None:
    """Remember what there is to say of the log's first ``trials`` trials."""
    known = {str(number): known for number, known in _known(folder).items()}
    write_atomically(folder / _MILESTONES, json.dumps({**known, str(trials): facts}, indent=1))


def milestone_facts(folder: Path, trials: int) -> dict[str, Any] | None:
    """What was remembered of a milestone; None while it was not reached."""
    return _known(folder).get(trials)


def measuring_code(folder: Path, trials: int, now: str) -> str:
    """Digest of the code that measured a milestone.

    Args:
        folder: The log.
        trials: The milestone.
        now: Digest of the present code, which measures what no earlier one has.
    """
    reached = [number for number in _known(folder) if number >= trials]
    return str(_known(folder)[min(reached)].get("code", now)) if reached else now


def _known(folder: Path) -> dict[int, dict[str, Any]]:
    path = folder / _MILESTONES
    try:
        return {int(number): facts for number, facts in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}  # not there, or cut off by a power failure: reaching it again costs little
