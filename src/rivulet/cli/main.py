"""Choose the subcommand. Only the chosen one's module is imported, so that help comes at once."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from rivulet.cli.commands import COMMANDS, GROUPS, Command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns its exit status.

    Args:
        arguments: The command line after ``rivulet``; that of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(help_text())
        return 0 if words else 2
    by_name = {command.name: command for command in COMMANDS}
    command = by_name.get(words[0])
    if command is None:
        print(f"rivulet: {_unknown(words[0], list(by_name))}", file=sys.stderr)
        return 2
    return _run(command, words[1:])


def help_text() -> str:
    """What ``rivulet --help`` prints: every subcommand with a line, by what it is for."""
    width = max(len(command.name) for command in COMMANDS)
    lines = ["usage: rivulet COMMAND ...", "", "Tools beside the workflow, which snakemake runs."]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {c.name:<{width}}  {c.what}" for c in COMMANDS if c.group == group]
    return "\n".join([*lines, "", "rivulet COMMAND --help explains a command."])


def _unknown(word: str, names: list[str]) -> str:
    near = get_close_matches(word, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "rivulet --help lists them"
    return f"'{word}' is no command; {hint}"


def _run(command: Command, arguments: list[str]) -> int:
    run = importlib.import_module(command.module).main
    try:
        return int(run(arguments))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
