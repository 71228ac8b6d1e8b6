"""The subcommands of ``rivulet``. Imported for ``--help``: nothing heavy here."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        name: What one types.
        what: Its line of help.
        elsewhere: The module that has it, where that is none of this folder's.
    """

    name: str
    what: str
    elsewhere: str = ""

    @property
    def module(self) -> str:
        """The module whose ``main(arguments)`` runs it and returns the exit status."""
        return self.elsewhere or f"rivulet.cli.{self.name.replace('-', '_')}"


# What they are for, to the commands.
GROUPS = {
    "A run": (
        Command("demo", "run the demonstration from end to end"),
        Command("watch", "see how a running or interrupted workflow stands"),
        Command("summary", "print the collected benchmarks as a table"),
        Command("report", "make a report of what is there of an unfinished run"),
        Command("keep", "keep what a finished run has shown, for a repository"),
    ),
    "Other machines": (
        Command("adopt", "let Snakemake take copied results for what they are"),
        Command("merge", "bring results of other machines here, for one report"),
        Command("rpc", "start an RPC tracker and servers, here or on a board"),
    ),
    "Schedules and models": (
        Command("best", "show the best schedules of a model or a kernel"),
        Command(
            "logs", "show, merge, prune, check, validate or export logs", "rivulet.log_tools.cli"
        ),
        Command("inspect", "show a model's graph as it is prepared, and its kernels"),
    ),
    "Pages of this project": (
        Command("config-docs", "write the generated files of config/, or check them"),
        Command("table-docs", "write the page of all tables' columns, or check it"),
        Command("model-table", "take torchvision's models through export and extraction"),
        Command("operators", "put ONNX's own node tests through compilation and a run"),
        Command("exported-models", "take models through that PyTorch's exporters write"),
    ),
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
