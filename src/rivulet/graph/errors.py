"""What fails while a model is prepared, told in the user's terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rivulet.errors import UserError

REMEDY = "docs/operators.md lists what can be compiled"
_MOST_CHARACTERS = 200
# TVM's checks show the condition as it stands in the source before they say what is wrong.
_CONDITION = re.compile(r"^Check failed: .*? is false: ?")


@contextmanager
def told(
    model: str, path: Path, culprit: Callable[[], str | None] = lambda: None
) -> Iterator[None]:
    """Make every failure one that names the model as its user knows it.

    Args:
        model: What the user calls it: the file in the config, or the model's name.
        path: The copy that is worked on; messages that begin with it get the user's name instead.
        culprit: Finds the operator at which TVM fails, for a failure that names none.

    Raises:
        UserError: Something failed.
    """
    try:
        yield
    except UserError as error:
        text = str(error).removeprefix(f"{path}: ").removeprefix(f"{model}: ")
        raise UserError(f"{model}: {text}") from error
    except Exception as error:
        where = None
        with suppress(Exception):  # a part of a model may fail in other ways than the whole
            where = culprit()
        what = f"TVM fails at {where}" if where else "TVM fails on this model"
        raise UserError(f"{model}: {what}: {in_few_words(error)}; {REMEDY}") from error


def in_few_words(error: BaseException) -> str:
    """What an error says, on one line that fits a terminal.

    Args:
        error: The error; TVM's may be pages long.
    """
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    checks = [line for line in lines if "Check failed" in line]
    said = (checks or lines or [""])[-1].removeprefix("InternalError: ")
    text = _CONDITION.sub("", said).rstrip(".") or type(error).__name__
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
