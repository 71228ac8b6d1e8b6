"""What the parsers of several subcommands have in common."""

from __future__ import annotations

import argparse
import re


def described(name: str, text: str | None) -> argparse.ArgumentParser:
    """A parser that a docstring describes: its first line above the options, the rest below.

    Args:
        name: Name of the subcommand.
        text: The docstring.
    """
    first, _, more = (text or "").partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"rivulet {name}", description=first, epilog=" ".join(more.split())
    )


def pattern_argument(text: str) -> re.Pattern[str]:
    """A regular expression on the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {error}") from error
