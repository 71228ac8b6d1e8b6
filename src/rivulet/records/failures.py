"""Which kernels have no valid trial, and why: what a job that measures ends with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rivulet.kernels.naming import short_name
from rivulet.records.trials import Trial

_HEAD, _TAIL = 80, 110  # characters of a long reason that are shown


def kernels_without_schedule(
    tasks: Sequence[str], trials: Iterable[Trial], reasons: Mapping[str, str] | None = None
) -> list[str]:
    """A line on each kernel that nothing valid was measured of, with the commonest reason.

    A kernel that has had no trial, because the budget did not come to it, is not among them.

    Args:
        tasks: Task names of the model's kernels, in the order of the lines.
        trials: What was measured of them.
        reasons: Why a kernel could not be tried at all, by task name.
    """
    reasons = reasons or {}
    failed: dict[str, list[str]] = {task: [] for task in tasks}
    valid: set[str] = set()
    for trial in trials:
        if not trial.error:
            valid.add(trial.kernel)
        elif trial.kernel in failed:
            failed[trial.kernel].append(trial.error)
    return [
        f"{short_name(task)} keeps its default loops: {_why(failed[task], reasons.get(task, ''))}"
        for task in tasks
        if task not in valid and (failed[task] or task in reasons)
    ]


def _why(errors: Sequence[str], reason: str) -> str:
    if not errors:
        return _clipped(reason)
    # Numbers are addresses, and names of libraries that are there no more.
    forms = [re.sub(r"0x[0-9a-f]+|\d+", "#", error) for error in errors]
    ((form, count),) = Counter(forms).most_common(1)
    common = errors[forms.index(form)]
    often = f" ({count} times)" if count > 1 else ""
    return f"none of its {len(errors)} trial(s) ran, {_clipped(common)}{often}"


def _clipped(text: str) -> str:
    """A text without its middle where it is long: what failed comes first, and why last."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} ... {text[-_TAIL:]}"
