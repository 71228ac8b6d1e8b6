"""Where a log grows, out of the reach of whatever deletes a workflow's outputs.

A workflow engine deletes the outputs of a failed job, and of one that it runs again. A log that
took hours must survive both, so it grows in a journal, and its files are written to their place
when it is complete. The journal's folder is named after everything that the measurements depend
on: with other settings, other hardware or another TVM a new one is begun beside it, and with the
old ones back, the old journal is found again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rivulet.provenance.record import digest_of, write_atomically
from rivulet.records.files import RECORDS, TRIALS, WORKLOADS, write_files, writing
from rivulet.records.imported import open_log
from rivulet.records.trials import trials_text

_COMPLETE = "complete.json"


def journal_folder(root: Path, settings: dict[str, Any], inputs: list[Path]) -> Path:
    """Folder of the journal for these settings and inputs.

    Args:
        root: Folder of all journals of one log.
        settings: The stage's settings, with ``fingerprint`` and ``tvm`` among them.
        inputs: Files (records, usually) whose content the log depends on.

    Raises:
        UserError: It cannot be written.
    """
    rest = {k: v for k, v in settings.items() if k not in ("fingerprint", "tvm", "device")}
    text = json.dumps([rest, sorted(digest_of(p) for p in inputs)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    name = f"settings-{digest}.device-{settings['fingerprint']}.tvm-{settings['tvm']}"
    folder = root / name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "settings.json", json.dumps(settings, indent=1, sort_keys=True))
    return folder


def other_journals(folder: Path) -> list[Path]:
    """Journals of the same log that other settings, hardware or TVM versions made."""
    return sorted(p for p in folder.parent.iterdir() if p.is_dir() and p != folder)


def mark_complete(folder: Path, facts: dict[str, Any]) -> None:
    """Remember that the journal holds all that was asked for, and what to say of it."""
    write_atomically(folder / _COMPLETE, json.dumps(facts))


def completed_facts(folder: Path) -> dict[str, Any] | None:
    """What was remembered by `mark_complete`; None while the journal is not complete."""
    path = folder / _COMPLETE
    if not path.exists():
        return None
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        return None  # cut off by a power failure; completing it again costs little
    return facts


def publish(folder: Path, destination: Path, first: int | None = None) -> list[Path]:
    """Write a log's files to where the workflow expects them.

    Args:
        folder: The log, growing or published.
        destination: Folder to write to.
        first: How many of its trials, with their schedules, as the log was when it had no more;
            by default all there is, schedules of no trial included.

    Returns:
        Paths of the files.

    Raises:
        UserError: There is no log, or its files cannot be written.
    """
    with open_log(folder, by_trial=first is not None) as storage:
        return write_files(
            destination,
            {
                WORKLOADS: b"".join(storage.workloads(first)),
                RECORDS: b"".join(storage.records(first)),
                TRIALS: trials_text(storage.trials(first)).encode(),
            },
        )
