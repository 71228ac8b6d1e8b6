"""What is wrong with a value, and how error lines say so."""

import reprlib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from pydantic_core import PydanticCustomError


class Problem(NamedTuple):
    """One thing that is wrong: where (below the value being checked) and what."""

    at: tuple[str | int, ...]
    text: str


@dataclass(frozen=True)
class Allowed:
    """Wording of what a value may be, where its type and limits do not say it all."""

    text: str


PROBLEMS = "rivulet_problems"  # pydantic error type whose context holds a list of Problem


def refuse(*problems: Problem) -> NoReturn:
    """Make the pydantic validator that calls this fail with these problems."""
    raise PydanticCustomError(PROBLEMS, "invalid", {"problems": list(problems)})


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80
_repr.maxdict = _repr.maxlist = _repr.maxtuple = 8


def shown(value: object) -> str:
    """Return a value as error lines show it: on one line and of bounded length."""
    return _repr.repr(value)


def did_you_mean(word: object, choices: list[str] | tuple[str, ...]) -> str:
    """Return the ending of an error line that names the nearest choice, or nothing."""
    if not isinstance(word, str):
        return ""
    near = [choice for choice in choices if choice.lower() == word.lower()]
    near = near or get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
