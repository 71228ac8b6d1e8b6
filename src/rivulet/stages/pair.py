"""What the stages of a pair have in common: a source, a target, and the name of both."""

from __future__ import annotations

from rivulet import paths

KEYS = ("source", "target", "hardware", "log_kind", "trials")


def pair_subject(source: str, target: str, hardware: str, log: str, trials: str) -> dict[str, str]:
    """What an artefact of a pair is of, as records say it."""
    return {
        "name": paths.PAIR.format(source=source, target=target), "source": source,
        "target": target, "hardware": hardware, "log": log, "trials": trials,
    }  # fmt: skip
