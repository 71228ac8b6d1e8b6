"""Choose the subcommand. Only the chosen one's module is imported, so that help comes at once."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from rivulet.cli.commands import COMMANDS, GROUPS
from rivulet.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns its exit status.

    Args:
        arguments: The command line after ``rivulet``; that of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(help_text())
        return 0 if words else 2
    if words[0] not in COMMANDS:
        near = get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "'rivulet --help' lists them"
        print(f"rivulet: '{words[0]}' is no command; {hint}", file=sys.stderr)
        return 2
    command = COMMANDS[words[0]]
    try:
        if command.is_stage:
            run_stage = importlib.import_module("rivulet.stages.main").main
            return int(run_stage(command.name, arguments=words[1:]))
        return int(importlib.import_module(command.module).main(words[1:]))
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def help_text() -> str:
    """What ``rivulet --help`` prints: every subcommand with a line, by what it is for."""
    width = max(map(len, COMMANDS))
    lines = [
        "usage: rivulet COMMAND ...",
        "",
        "Tools beside the workflow, for the checkout at hand.",
    ]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {one.name:<{width}}  {one.what}" for one in commands)]
    return "\n".join([*lines, "", "'rivulet COMMAND --help' explains a command."])
