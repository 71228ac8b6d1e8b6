"""Make a new log from others: several in one, or the best of one; no TVM."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.records.derive import write_part, write_records
from rivulet.records.files import TRIALS, writing
from rivulet.records.stored import ORIGIN, StoredLog
from rivulet.records.trials import Trial, write_trials

Say = Callable[[str], None]


def merge_logs(out: Path, logs: list[StoredLog], say: Say = lambda text: None) -> None:
    """Write one log that holds what several do.

    A schedule that several logs have is taken from the first of them, and so is a trial of the
    same candidate: a latency is one measurement, and the smaller of two would on average be
    smaller than the truth. The logs count as made one after the other: trials and batches are
    numbered through, and each log's measuring time begins where the one before it ended.

    Args:
        out: Folder to write; it must not hold anything.
        logs: The logs, at least one.
        say: Told what was taken from each log.

    Raises:
        UserError: The logs were made on different hardware, or ``out`` is in use.
    """
    require_same_conditions(logs)
    with new_log(out) as folder:
        trials = merge_trials(logs)
        counts = write_records(folder, [(log, log.records) for log in logs])
        write_trials(folder / TRIALS, trials)
        for log, count in zip(logs, counts, strict=True):
            repeated = len(log.records) - count
            say(f"{log.folder}: {count} schedules taken, {repeated} there already")
        _write_origin(folder, "merge", logs, {})
    say(f"{out}: {sum(counts)} schedules, {len(trials)} trials")


def prune_log(
    out: Path, log: StoredLog, best: int, keep_trials: bool = True, *, say: Say = lambda text: None
) -> None:
    """Write a log with the fastest schedules of another.

    Args:
        out: Folder to write; it must not hold anything.
        log: The log.
        best: How many schedules to keep of each workload.
        keep_trials: Keep ``trials.csv`` whole, so that a search that goes on from the new log
            knows what was measured; otherwise it is left empty.
        say: Told what was kept.

    Raises:
        UserError: ``out`` is in use.
    """
    kept = {r.line for records in log.ranked().values() for r in records[:best]}
    with new_log(out) as folder:
        write_part(folder, log, kept)
        write_trials(folder / TRIALS, log.trials if keep_trials else [])
        _write_origin(folder, "prune", [log], {"best": best})
    workloads = len(log.workloads)
    say(f"{out}: {len(kept)} of {len(log.records)} schedules of {workloads} workloads kept")


@contextmanager
def new_log(out: Path) -> Iterator[Path]:
    """A folder to write a log to, which becomes ``out`` when all of it is written.

    Raises:
        UserError: ``out`` is there and not empty, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: there already; name a folder that is not there, or an empty one")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_same_conditions(logs: list[StoredLog]) -> None:
    """Refuse logs whose latencies do not compare.

    Raises:
        UserError: They come from different devices, TVM versions or targets.
    """
    questions: tuple[tuple[str, Callable[[StoredLog], str]], ...] = (
        ("on devices with different fingerprints", lambda log: _setting(log, "fingerprint")),
        ("by different TVM versions", lambda log: _setting(log, "tvm")),
        ("for different targets", _target),
    )
    for what, answer in questions:
        first: tuple[StoredLog, str] | None = None
        for log in logs:
            found = answer(log)
            if found and first and found != first[1]:
                raise UserError(
                    f"{first[0].folder} and {log.folder} were made {what} ({first[1]} and "
                    f"{found}), so that their latencies do not compare; merge logs of one "
                    "device and one TVM only"
                )
            first = first or ((log, found) if found else None)


def merge_trials(logs: list[StoredLog]) -> list[Trial]:
    """The trials of several logs in one list, numbered through.

    ``best_us`` goes on over all of them; ``model_ms`` is kept in the first log's rows and empty
    in the others, because a log does not know how often the model runs each kernel.
    """
    prefix = _kernel_prefix(logs)
    merged: list[Trial] = []
    known: set[tuple[str, str]] = set()
    best: dict[str, float] = {}
    for log in logs:
        before = max((trial.elapsed_s for trial in merged), default=0.0)
        batches = max((trial.batch for trial in merged), default=0)
        first = not merged
        own = set()
        for trial in log.trials:
            kernel = prefix(log) + trial.kernel
            if (kernel, trial.candidate) in known:
                continue
            own.add((kernel, trial.candidate))
            earlier = best.get(kernel)
            stated = float(trial.best_us) if trial.best_us else None
            overall = min((b for b in (earlier, stated) if b is not None), default=None)
            merged.append(
                replace(
                    trial,
                    trial=len(merged) + 1,
                    kernel=kernel,
                    elapsed_s=round(before + trial.elapsed_s, 3),
                    batch=batches + trial.batch,
                    best_us="" if overall is None else f"{overall:.4f}",
                    model_ms=trial.model_ms if first else "",
                )
            )
        known |= own
        for trial in merged:
            if trial.best_us:
                best[trial.kernel] = min(float(trial.best_us), best.get(trial.kernel, float("inf")))
    return merged


def _kernel_prefix(logs: list[StoredLog]) -> Callable[[StoredLog], str]:
    """Logs of several models use the same task names for different kernels."""
    models = {log.origin.model for log in logs}
    if len(models) > 1 and "" not in models:
        return lambda log: f"{log.origin.model}/"
    return lambda log: ""


def _write_origin(folder: Path, made_by: str, logs: list[StoredLog], facts: dict[str, Any]) -> None:
    """Say where the log comes from, with the sources' own records."""
    first = next((log.origin for log in logs if log.origin.settings), logs[0].origin)
    models = {log.origin.model for log in logs}
    inputs = [name for log in logs for name in log.origin.inputs] if len(models) == 1 else []
    data = {
        "made_by": made_by,
        **facts,
        "model": models.pop() if len(models) == 1 else "",
        "hardware": first.hardware,
        "settings": first.settings,
        "inputs": sorted(set(inputs)),
        "logs": [{"folder": str(log.folder), "record": log.origin.facts} for log in logs],
    }
    (folder / ORIGIN).write_text(json.dumps(data, indent=1) + "\n")


def _setting(log: StoredLog, key: str) -> str:
    return str(log.origin.settings.get(key, ""))


def _target(log: StoredLog) -> str:
    """The target that the log's records name; the records of one log share it."""
    return next((record.target for record in log.records if record.target), "")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
