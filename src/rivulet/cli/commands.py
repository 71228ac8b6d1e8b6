"""The subcommands of ``rivulet``. Imported for ``--help``: nothing heavy here."""

from __future__ import annotations

from typing import NamedTuple

RUN = "A run"
ELSEWHERE = "Results from elsewhere"
LOOK = "Schedules and models"
PROJECT = "The project's own pages"
GROUPS = (RUN, ELSEWHERE, LOOK, PROJECT)


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        name: What one types.
        group: What it is for, one of `GROUPS`.
        what: Its line of help.
        module: Module whose ``main(arguments)`` runs it and returns the exit status.
    """

    name: str
    group: str
    what: str
    module: str


COMMANDS = (
    Command(
        "adopt", ELSEWHERE, "let Snakemake take copied results for what they are",
        "rivulet.cli.adopt",
    ),
)  # fmt: skip
