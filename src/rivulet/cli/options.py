"""What the parsers of several subcommands have in common."""

from __future__ import annotations

import argparse


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
