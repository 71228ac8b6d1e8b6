"""Kinds of values of the configuration: what each may be, and the check that says so."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from rivulet.config.problems import Problem, did_you_mean, refuse, shown
from rivulet.methods import baselines, source_kinds
from rivulet.paths import POOL

# --- Names -----------------------------------------------------------------------------------
# Names become parts of file names, and a pair is the file name part "SOURCE-to-TARGET": a
# name must not be able to make one pair look like another.
NAME = (
    r"^(?=.{1,64}$)(?!.*\.\.)(?!.*(?:^|-)to-)(?!.*-to$)"
    r"[A-Za-z0-9][A-Za-z0-9_.]*(?:-[A-Za-z0-9_.]+)*$"
)
_NAME_ALLOWED = (
    "1 to 64 of A-Z a-z 0-9 _ . and single '-' inside, the first a letter or digit; "
    "no '..', no '-to-', no 'to-' at the start, no '-to' at the end"
)


def _name_check(reserved: dict[str, str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if not re.fullmatch(NAME, name) or name.endswith("\n"):
            refuse(Problem((), f"{shown(name)} is no usable name; allowed: {_NAME_ALLOWED}"))
        if name.lower() in reserved:
            why = reserved[name.lower()]
            refuse(Problem((), f"{shown(name)} is reserved for {why}; choose another name"))
        return name

    return check


ModelName = Annotated[
    str,
    AfterValidator(_name_check({POOL: "the pool of all source models"})),
]
HardwareName = Annotated[
    str,
    AfterValidator(
        _name_check(
            {
                "models": "a folder of results/",
                "reference": "a folder of results/",
            }
        )
    ),
]


# --- Kinds of values ---------------------------------------------------------------------------
def is_int(value: object) -> bool:
    """Whether a value is an integer, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_size(value: object) -> bool:
    """Whether a value is the size of a dimension."""
    return is_int(value) and 1 <= value < 2**31  # type: ignore[operator]


def _repeated(values: list[Any]) -> list[int]:
    return [i for i, value in enumerate(values) if value in values[:i]]


TRIALS_ALLOWED = "an integer from 1 to 1000000, or a list of such integers without duplicates"


def checked_trials(value: object) -> tuple[int, ...]:
    """Trial counts, ascending; one number is a list of one."""
    many = isinstance(value, (list, tuple))
    values: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
    problems = []
    for i, trials in enumerate(values):
        at = (i,) if many else ()
        if not is_int(trials):
            problems.append(Problem(at, f"{shown(trials)} is not an integer"))
        elif not 1 <= trials <= 1_000_000:
            problems.append(Problem(at, f"{shown(trials)} is out of range"))
    if not values:
        problems.append(Problem((), "[] is an empty list"))
    if not problems:
        problems = [Problem((i,), f"{shown(values[i])} is a duplicate") for i in _repeated(values)]
    if problems:
        refuse(*(Problem(at, f"{text}; allowed: {TRIALS_ALLOWED}") for at, text in problems))
    return tuple(sorted(values))


LOGS = source_kinds()
LOGS_ALLOWED = f"a list with one or more of {', '.join(LOGS)}, without duplicates"


def checked_logs(value: object) -> tuple[str, ...]:
    """Kinds of logs, in their own order."""
    if value in ([], ()):
        refuse(Problem((), f"[] is an empty list; allowed: {LOGS_ALLOWED}"))
    return _chosen(value, LOGS, "log", LOGS_ALLOWED)


BASELINES = baselines()
BASELINES_ALLOWED = f"a list of some of {', '.join(BASELINES)}, without duplicates"


def checked_baselines(value: object) -> tuple[str, ...]:
    """Baselines, in their own order."""
    return _chosen(value, BASELINES, "baseline", BASELINES_ALLOWED)


def _chosen(value: object, known: tuple[str, ...], what: str, allowed: str) -> tuple[str, ...]:
    """A list of some known words, in their own order."""
    if not isinstance(value, (list, tuple)):
        refuse(Problem((), f"{shown(value)} is not a list; allowed: {allowed}"))
    problems = [
        Problem((i,), f"{shown(one)} is no {what}; allowed: {allowed}{did_you_mean(one, known)}")
        for i, one in enumerate(value)
        if one not in known
    ] or [
        Problem((i,), f"{shown(value[i])} is a duplicate; allowed: {allowed}")
        for i in _repeated(list(value))
    ]
    if problems:
        refuse(*problems)
    return tuple(one for one in known if one in value)


PAIRS_ALLOWED = (
    "all, a list of [source, target] pairs of model names, or a mapping such as "
    "{sources: 5, within: families}"
)


def checked_pairs(value: object) -> object:
    """All pairs, pairs of names, or a choice, which is a mapping and checked as such."""
    if value == "all" or isinstance(value, (dict, BaseModel)):
        return value
    if not isinstance(value, (list, tuple)):
        hint = did_you_mean(value, ["all"])
        refuse(Problem((), f"{shown(value)} is no choice of pairs; allowed: {PAIRS_ALLOWED}{hint}"))
    problems = [
        Problem((i,), f"{shown(pair)} is not a pair of names; allowed: {PAIRS_ALLOWED}")
        for i, pair in enumerate(value)
        if not isinstance(pair, (list, tuple))
        or len(pair) != 2
        or not all(isinstance(name, str) for name in pair)
    ]
    if problems:
        refuse(*problems)
    return tuple(tuple(pair) for pair in value)


SHAPE_ALLOWED = "a list of 4 integers of at least 1 (N, C, H, W)"


def checked_shape(value: object) -> tuple[int, ...]:
    """A shape of four sizes."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        refuse(Problem((), f"{shown(value)} is no shape; allowed: {SHAPE_ALLOWED}"))
    problems = [
        Problem((i,), f"{shown(size)} is no size; allowed: {SHAPE_ALLOWED}")
        for i, size in enumerate(value)
        if not is_int(size) or size < 1
    ]
    if problems:
        refuse(*problems)
    return tuple(value)


TargetValue = str | int | float | bool | list[str]
_DETECTED = ("auto", "cuda")
_KINDS = ("llvm", "cuda")
TARGET_ALLOWED = (
    'auto, cuda, or a mapping such as {kind: llvm, mcpu: skylake, mattr: ["-avx512f"]} '
    "or {kind: cuda, arch: sm_90}"
)


def checked_target(value: object) -> object:
    """A target as a mapping, or ``auto`` (this machine's CPU) or ``cuda`` (its GPU)."""
    if isinstance(value, str) and value in _DETECTED:
        return value
    if not isinstance(value, dict):
        hint = did_you_mean(value, _DETECTED)
        refuse(Problem((), f"{shown(value)} is no target; allowed: {TARGET_ALLOWED}{hint}"))
    if "kind" not in value:
        refuse(Problem((), f"{shown(value)} has no 'kind'; allowed: {TARGET_ALLOWED}"))
    if value["kind"] not in _KINDS:
        text = f"{shown(value['kind'])} is no supported kind of target; allowed: llvm, cuda"
        refuse(Problem(("kind",), text))
    if value["kind"] == "cuda" and not ("arch" in value or "tag" in value):
        text = f"{shown(value)} has no 'arch' such as sm_90, nor a 'tag' such as nvidia/nvidia-a100"
        refuse(Problem((), text))
    problems = [
        Problem((key,), f"{shown(attribute)} is no attribute value; allowed: {_ATTRIBUTE_ALLOWED}")
        for key, attribute in value.items()
        if not _is_attribute(attribute)
    ]
    if problems:
        refuse(*problems)
    return value


_ATTRIBUTE_ALLOWED = "text, a finite number, true or false, or a list of texts"


def _is_attribute(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, float):
        return abs(value) < float("inf")  # also false for not-a-number
    return isinstance(value, (str, int))


def checked_ratio(value: float) -> float:
    """Zero, or a ratio of at least 1."""
    if value != 0 and value < 1:
        refuse(Problem((), f"{shown(value)} is out of range; allowed: {RATIO_ALLOWED}"))
    return value


RATIO_ALLOWED = "0, or a number of at least 1"

# 31 bits is what every random generator behind these seeds takes.
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Significance = Annotated[float, Field(gt=0, lt=0.5)]
Tolerance = Annotated[float, Field(gt=0, le=0.1)]
Timeout = Annotated[float, Field(gt=0, le=3600)]
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=10000)]
