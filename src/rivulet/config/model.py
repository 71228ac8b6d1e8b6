"""The configuration as frozen pydantic models.

This file is the one source for keys, limits, defaults and meanings: the JSON schema, the
default configuration file and the key table are generated from it. A description ends in
its unit in square brackets where the value has one.
"""

import itertools
import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rivulet.config.torchvision_names import classification_models


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


# --- Names -----------------------------------------------------------------------------------
# Names become parts of file names, and a pair is the file name part "SOURCE-to-TARGET": a
# name must not be able to make one pair look like another.
_NAME = (
    r"^(?=.{1,64}$)(?!.*\.\.)(?!.*(?:^|-)to-)(?!.*-to$)"
    r"[A-Za-z0-9][A-Za-z0-9_.]*(?:-[A-Za-z0-9_.]+)*$"
)
_NAME_ALLOWED = (
    "1 to 64 of A-Z a-z 0-9 _ . and single '-' inside, the first a letter or digit; "
    "no '..', no '-to-', no 'to-' at the start, no '-to' at the end"
)


def _name_check(reserved: dict[str, str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if not re.fullmatch(_NAME, name) or name.endswith("\n"):
            refuse(Problem((), f"{shown(name)} is no usable name; allowed: {_NAME_ALLOWED}"))
        if name.lower() in reserved:
            why = reserved[name.lower()]
            refuse(Problem((), f"{shown(name)} is reserved for {why}; choose another name"))
        return name

    return check


ModelName = Annotated[
    str,
    AfterValidator(_name_check({"pool": "the pool of all source models"})),
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
def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _repeated(values: list[Any]) -> list[int]:
    return [i for i, value in enumerate(values) if value in values[:i]]


_TRIALS_ALLOWED = "an integer from 1 to 1000000, or a list of such integers without duplicates"


def _trials(value: object) -> tuple[int, ...]:
    many = isinstance(value, (list, tuple))
    values: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
    problems = []
    for i, trials in enumerate(values):
        at = (i,) if many else ()
        if not _is_int(trials):
            problems.append(Problem(at, f"{shown(trials)} is not an integer"))
        elif not 1 <= trials <= 1_000_000:
            problems.append(Problem(at, f"{shown(trials)} is out of range"))
    if not values:
        problems.append(Problem((), "[] is an empty list"))
    if not problems:
        problems = [Problem((i,), f"{shown(values[i])} is a duplicate") for i in _repeated(values)]
    if problems:
        refuse(*(Problem(at, f"{text}; allowed: {_TRIALS_ALLOWED}") for at, text in problems))
    return tuple(sorted(values))


_LOGS: tuple[Literal["ansor"], Literal["droplet"]] = ("ansor", "droplet")
_LOGS_ALLOWED = "a list with one or more of ansor, droplet, without duplicates"


def _logs(value: object) -> tuple[str, ...]:
    if value in ([], ()):
        refuse(Problem((), f"[] is an empty list; allowed: {_LOGS_ALLOWED}"))
    return _chosen(value, _LOGS, "log", _LOGS_ALLOWED)


_BASELINES = ("untuned", "onnxruntime", "torch", "torch-compile")
_BASELINES_ALLOWED = f"a list of some of {', '.join(_BASELINES)}, without duplicates"


def _baselines(value: object) -> tuple[str, ...]:
    return _chosen(value, _BASELINES, "baseline", _BASELINES_ALLOWED)


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


_PAIRS_ALLOWED = "all, or a list of [source, target] pairs of model names"


def _pairs(value: object) -> object:
    if value == "all":
        return value
    if not isinstance(value, (list, tuple)):
        hint = did_you_mean(value, ["all"])
        refuse(
            Problem((), f"{shown(value)} is no choice of pairs; allowed: {_PAIRS_ALLOWED}{hint}")
        )
    problems = [
        Problem((i,), f"{shown(pair)} is not a pair of names; allowed: {_PAIRS_ALLOWED}")
        for i, pair in enumerate(value)
        if not isinstance(pair, (list, tuple))
        or len(pair) != 2
        or not all(isinstance(name, str) for name in pair)
    ]
    if problems:
        refuse(*problems)
    return tuple(tuple(pair) for pair in value)


_SHAPE_ALLOWED = "a list of 4 integers of at least 1 (N, C, H, W)"


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        refuse(Problem((), f"{shown(value)} is no shape; allowed: {_SHAPE_ALLOWED}"))
    problems = [
        Problem((i,), f"{shown(size)} is no size; allowed: {_SHAPE_ALLOWED}")
        for i, size in enumerate(value)
        if not _is_int(size) or size < 1
    ]
    if problems:
        refuse(*problems)
    return tuple(value)


TargetValue = str | int | float | bool | list[str]
_TARGET_ALLOWED = 'auto, or a mapping such as {kind: llvm, mcpu: skylake, mattr: ["-avx512f"]}'


def _target(value: object) -> object:
    if value == "auto":
        return value
    if not isinstance(value, dict):
        hint = did_you_mean(value, ["auto"])
        refuse(Problem((), f"{shown(value)} is no target; allowed: {_TARGET_ALLOWED}{hint}"))
    if "kind" not in value:
        refuse(Problem((), f"{shown(value)} has no 'kind'; allowed: {_TARGET_ALLOWED}"))
    if value["kind"] != "llvm":
        text = f"{shown(value['kind'])} is no supported kind of target; allowed: llvm"
        refuse(Problem(("kind",), text))
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


def _zero_or_ratio(value: float) -> float:
    if value != 0 and value < 1:
        refuse(Problem((), f"{shown(value)} is out of range; allowed: {_RATIO_ALLOWED}"))
    return value


_RATIO_ALLOWED = "0, or a number of at least 1"

# 31 bits is what every random generator behind these seeds takes.
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Significance = Annotated[float, Field(gt=0, lt=0.5)]
Tolerance = Annotated[float, Field(gt=0, le=0.1)]
Timeout = Annotated[float, Field(gt=0, le=3600)]
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=10000)]


class _Settings(BaseModel):
    # strict: neither true nor "16" is the integer it could be turned into.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


# --- Models ------------------------------------------------------------------------------------
def _torchvision_name(name: str) -> str:
    known = classification_models()
    if known and name not in known:
        hint = did_you_mean(name, known)
        hint = hint or f"; allowed: one of the {len(known)} that torchvision.models registers"
        refuse(Problem((), f"{shown(name)} is no torchvision classification model{hint}"))
    return name


_ONNX_ALLOWED = "an existing ONNX file, relative to the working directory"


def _base_dir(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("base_dir") or ".")


def _onnx_file(name: str, info: ValidationInfo) -> str:
    path = _base_dir(info) / name
    try:
        folder, exists = path.is_dir(), path.is_file()
    except OSError:  # for example a name longer than the file system takes
        folder, exists = False, False
    if folder:
        refuse(Problem((), f"{shown(name)} is a directory; allowed: {_ONNX_ALLOWED}"))
    if not exists:
        refuse(Problem((), f"{shown(name)} is no such file; allowed: {_ONNX_ALLOWED}"))
    return name


class TorchvisionModel(_Settings):
    """A classification model that torchvision builds."""

    torchvision: Annotated[
        str, AfterValidator(_torchvision_name), Allowed("a torchvision classification model")
    ] = Field(description="Name of the torchvision model to build")
    shape: Annotated[
        tuple[int, int, int, int],
        BeforeValidator(_shape),
        Allowed(_SHAPE_ALLOWED),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 1},
                "minItems": 4,
                "maxItems": 4,
            }
        ),
    ] = Field(
        default=(1, 3, 224, 224),
        description="Shape of the input: batch, channels, height, width",
    )
    weights: Literal["random", "DEFAULT"] = Field(
        default="random",
        description="Random weights, or torchvision's default trained weights (a download)",
    )
    seed: Seed = Field(default=0, description="Seed of the random weights")


class OnnxModel(_Settings):
    """A model read from an ONNX file, which carries its own shapes and weights."""

    onnx: Annotated[str, AfterValidator(_onnx_file), Allowed(_ONNX_ALLOWED)] = Field(
        description="Path of the ONNX file"
    )


MODEL_KINDS: dict[str, type[TorchvisionModel] | type[OnnxModel]] = {
    "torchvision": TorchvisionModel,
    "onnx": OnnxModel,
}
_DEFINITION_ALLOWED = "a mapping with exactly one of 'torchvision' (a name) and 'onnx' (a file)"


def _one_kind(value: object) -> object:
    if isinstance(value, (TorchvisionModel, OnnxModel)):
        return value
    if not isinstance(value, dict):
        refuse(Problem((), f"{shown(value)} is no definition; allowed: {_DEFINITION_ALLOWED}"))
    kinds = [kind for kind in MODEL_KINDS if kind in value]
    if not kinds:
        near = (did_you_mean(key, list(MODEL_KINDS)) for key in value)
        hint = next(filter(None, near), "")
        text = f"{shown(value)} names no model; allowed: {_DEFINITION_ALLOWED}{hint}"
        refuse(Problem((), text))
    if len(kinds) > 1:
        refuse(Problem((), f"{shown(value)} names two models; allowed: {_DEFINITION_ALLOWED}"))
    if kinds == ["onnx"]:
        problems = [
            Problem(
                (key,), f"{shown(value[key])} is for torchvision models only; allowed here: onnx"
            )
            for key in TorchvisionModel.model_fields
            if key in value
        ]
        if problems:
            refuse(*problems)
    return value


def _kind(value: object) -> str:
    if isinstance(value, (TorchvisionModel, OnnxModel)):
        return "onnx" if isinstance(value, OnnxModel) else "torchvision"
    return "onnx" if isinstance(value, dict) and "onnx" in value else "torchvision"


ModelDefinition = Annotated[
    Annotated[TorchvisionModel, Tag("torchvision")] | Annotated[OnnxModel, Tag("onnx")],
    Discriminator(_kind),
    BeforeValidator(_one_kind),
]


# --- Libraries ---------------------------------------------------------------------------------
_LOG_ALLOWED = "an existing folder of a log, relative to the working directory"


def _log_folder(name: str, info: ValidationInfo) -> str:
    path = _base_dir(info) / name
    try:
        folder = path.is_dir()
    except OSError:  # for example a name longer than the file system takes
        folder = False
    if not folder:
        refuse(Problem((), f"{shown(name)} is no such folder; allowed: {_LOG_ALLOWED}"))
    if not (path / "database_tuning_record.json").exists():
        refuse(
            Problem(
                (),
                f"{shown(name)} has no database_tuning_record.json, so it is no log; "
                f"allowed: {_LOG_ALLOWED}",
            )
        )
    return name


class Library(_Settings):
    """A log from elsewhere: a colleague's, or another run's."""

    log: Annotated[str, AfterValidator(_log_folder), Allowed(_LOG_ALLOWED)] = Field(
        description="Folder of the log, with its database"
    )
    other_hardware: bool = Field(
        default=False,
        description="Whether the log may come from another device, where other schedules are fast",
    )


# --- Sections ----------------------------------------------------------------------------------
class Hardware(_Settings):
    """A machine that schedules are tuned for and measured on."""

    target: Annotated[
        Literal["auto"] | dict[str, TargetValue],
        BeforeValidator(_target),
        Allowed(_TARGET_ALLOWED),
        WithJsonSchema(
            {
                "anyOf": [
                    {"const": "auto"},
                    {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {"kind": {"const": "llvm"}},
                        "additionalProperties": {
                            "type": ["string", "number", "boolean", "array"],
                            "items": {"type": "string"},
                        },
                    },
                ]
            }
        ),
    ] = Field(
        default="auto",
        description="TVM target to compile for; auto describes the CPU of this machine",
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        default="auto",
        description="Threads of a measured kernel or model; auto is the number of physical "
        "cores that this process may use [threads]",
    )
    runner: Literal["local"] = Field(
        default="local", description="Where candidates are measured; local is this machine"
    )
    space: Literal["register-tiles", "stock"] = Field(
        default="register-tiles",
        description="Schedules that the search draws from: those whose accumulators fit the "
        "vector registers (docs/search.md), or all of TVM's",
    )


class Search(_Settings):
    """The Ansor search: evolutionary, with a learned cost model, over MetaSchedule's space."""

    seed: Seed = Field(default=42, description="Seed of the search")
    batch_size: int = Field(
        default=16,
        ge=1,
        le=512,
        description="Candidates measured per round of one kernel [candidates]",
    )
    population: int = Field(
        default=48,
        ge=4,
        le=4096,
        description="Candidates that the cost model ranks per round, where it is larger than the "
        "batch [candidates]",
    )
    generations: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Generations that a population evolves per round [generations]",
    )
    mutation_probability: Share = Field(
        default=0.85, description="Probability that a child of a measured candidate is mutated"
    )
    random_share: Share = Field(
        default=0.05,
        description="Share of each batch picked at random instead of by the cost model "
        "(epsilon-greedy)",
    )
    cost_model: Literal["xgb", "random"] = Field(
        default="xgb",
        description="Cost model that ranks candidates: gradient-boosted trees, or a random order",
    )
    scheduler_alpha: Share = Field(
        default=0.2,
        description="Weight of the recent improvement in the gradient task scheduler",
    )
    scheduler_window: int = Field(
        default=3,
        ge=1,
        le=64,
        description="Rounds that the task scheduler takes as recent [rounds]",
    )


class Measure(_Settings):
    """How a candidate is built and timed, in every kind of search."""

    warmup_runs: int = Field(
        default=1, ge=0, le=100, description="Untimed runs before the first sample [runs]"
    )
    repeats: int = Field(
        default=3, ge=1, le=100, description="Timed samples per candidate [samples]"
    )
    min_repeat_ms: Milliseconds = Field(
        default=5.0,
        description="Shortest length of a sample, which averages as many runs as fill it [ms]",
    )
    run_timeout_s: Timeout = Field(
        default=10.0, description="Longest time that measuring one candidate may take [s]"
    )
    build_timeout_s: Timeout = Field(
        default=30.0, description="Longest time that building one candidate may take [s]"
    )
    early_stop_ratio: Annotated[
        float,
        AfterValidator(_zero_or_ratio),
        Allowed(_RATIO_ALLOWED),
        WithJsonSchema({"anyOf": [{"const": 0}, {"type": "number", "minimum": 1}]}),
    ] = Field(
        default=5.0,
        description="A candidate whose first run is this many times slower than its kernel's "
        "best keeps that one sample; 0 turns this off [times]",
    )
    winner_repeats: int = Field(
        default=6,
        ge=0,
        le=100,
        description="Samples more for a candidate that looks faster than its kernel's best so "
        "far, so that luck alone does not make it the best [samples]",
    )
    cache_flush: bool = Field(
        default=False, description="Whether the CPU's caches are flushed before each sample"
    )
    cold_weights: bool = Field(
        default=True,
        description="Whether each run of a kernel finds its weights in memory and not in the "
        "caches, as it does within a model",
    )
    build_workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        default="auto",
        description="Processes that build candidates side by side; auto follows the hardware's "
        "cores [processes]",
    )
    worker_max_uses: int = Field(
        default=500,
        ge=1,
        le=100000,
        description="Candidates after which a worker process is replaced [candidates]",
    )
    worker_memory_gib: Annotated[float, Field(ge=0.25, le=4096)] = Field(
        default=4.0,
        description="Memory that building or running one candidate may take; one that needs more "
        "fails as out of memory, and a worker process that still holds half of it afterwards is "
        "replaced [GiB]",
    )


class Droplet(_Settings):
    """The droplet search: coordinate descent from the best schedule of the Ansor log."""

    seed: Seed = Field(default=42, description="Seed of the search")
    trials: int = Field(
        default=200, ge=0, le=1_000_000, description="Trials per model [candidates]"
    )
    significance: Significance = Field(
        default=0.05,
        description="Share of races without a faster challenger that may end with a move all "
        "the same",
    )
    confirm_repeats: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Samples of the incumbent and of each challenger in a race's first look; "
        "near misses get up to four times as many [samples]",
    )
    neighbours_per_round: int = Field(
        default=8, ge=1, le=512, description="Neighbours measured per round [candidates]"
    )
    starts: int = Field(
        default=3,
        ge=1,
        le=12,
        description="Schedules of a kernel that descents may begin from, the best and others "
        "unlike it, where the budget allows [schedules]",
    )
    tolerance: Tolerance = Field(
        default=0.001,
        description="Largest relative error of a kernel's output against the schedule that the "
        "descent began from",
    )


class Transfer(_Settings):
    """Transfer-tuning: schedules of a source model's log reused on a target model."""

    seed: Seed = Field(default=42, description="Seed of the inputs on which outputs are compared")
    candidates_per_kernel: int = Field(
        default=3,
        ge=1,
        le=256,
        description="Schedules measured per kernel of the target model on average; kernels that "
        "take more of the model's time get more of them [candidates]",
    )
    most_per_kernel: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Schedules measured of one kernel, at most [candidates]",
    )
    considered_per_kernel: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Schedules that the cost model ranks per kernel, those of the most similar "
        "source kernels [candidates]",
    )
    records_per_source_kernel: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Best records taken per kernel of a source's log [records]",
    )
    seconds: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=0.0,
        description="Time after which no more schedules are measured, but for the first of each "
        "kernel, and what is there is settled; 0 for no limit [s]",
    )
    significance: Significance = Field(
        default=0.05, description="p-value below which a faster schedule counts as faster"
    )
    confirm_repeats: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Samples of the incumbent and of the challenger each, before a schedule "
        "is taken [samples]",
    )
    tolerance: Tolerance = Field(
        default=1e-3,
        description="Largest relative error of a kernel's output against the unscheduled kernel",
    )


class WarmStart(_Settings):
    """Ansor's search on a target, started from what transfer-tuning measured of the pool."""

    share: Share = Field(
        default=0.15,
        description="Trials of such a search, after the transferred candidates, as a share of "
        "those of the logs that these come from; 0 for none",
    )


class Benchmark(_Settings):
    """The comparison of whole models, with all methods interleaved."""

    seed: Seed = Field(
        default=0, description="Seed of the inputs, the order of methods and the bootstrap"
    )
    baselines: Annotated[
        tuple[Literal["untuned", "onnxruntime", "torch", "torch-compile"], ...],
        BeforeValidator(_baselines),
        Allowed(_BASELINES_ALLOWED),
        WithJsonSchema({"type": "array", "items": {"enum": list(_BASELINES)}, "uniqueItems": True}),
    ] = Field(
        default=("untuned", "onnxruntime", "torch"),
        description="What the searched models are timed beside: TVM without any schedule, ONNX "
        "Runtime, PyTorch eager and torch.compile (which needs g++), with the same threads; the "
        "latter two for models of torchvision only",
    )
    inputs: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Seeded inputs on which each method's output is compared with ONNX Runtime's "
        "before it is timed [inputs]",
    )
    processes: int = Field(
        default=4,
        ge=1,
        le=100,
        description="New processes, at least, in each of which all methods are timed; 1 keeps to "
        "one process, whose intervals do not say what another process would show [processes]",
    )
    max_processes: int = Field(
        default=8,
        ge=1,
        le=100,
        description="Processes at most, where intervals stay wider than `precision` [processes]",
    )
    precision: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.04,
        description="Width of a latency's interval, as a share of the latency, that is narrow "
        "enough to stop",
    )
    warmup_runs: int = Field(
        default=3, ge=0, le=1000, description="Untimed runs of each method at the start [runs]"
    )
    samples: int = Field(
        default=15,
        ge=5,
        le=10000,
        description="Rounds of each process, with one sample per method each [samples]",
    )
    min_sample_ms: Milliseconds = Field(
        default=10.0,
        description="Shortest length of a sample, which averages as many runs as fill it [ms]",
    )
    settle_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=5.0,
        description="Pause before each sample, so that one runtime's spinning threads do not "
        "disturb the next [ms]",
    )
    max_seconds_per_method: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=20.0,
        description="Time in a process after which a method rests with the samples it has, five "
        "at least, so that a very slow one does not hold up the others [s]",
    )
    cache_flush: bool = Field(
        default=False,
        description="Clear the caches before each inference, as when a model runs now and then",
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.95, description="Confidence level of the reported intervals"
    )
    bootstrap_resamples: int = Field(
        default=2000,
        ge=100,
        le=100000,
        description="Bootstrap resamples behind an interval of a single process [resamples]",
    )
    tolerance: Tolerance = Field(
        default=1e-3,
        description="Largest relative error of a model's output against the reference output",
    )


class DropletStudy(_Settings):
    """What droplet search is worth: before and after a transfer, and beside more search."""

    after_transfer: bool = Field(
        default=True,
        description="Whether what a transfer from a log without droplet has taken is refined by "
        "droplet search, as one more method of its pair",
    )
    gain: bool = Field(
        default=True,
        description="Whether droplet's gain is measured beside Ansor's search gone on for as many "
        "trials and seconds, for which that search goes beyond the largest trial count by twice "
        "droplet's trials",
    )
    effect: bool = Field(
        default=True,
        description="Whether each pair's variants without and with droplet are timed beside each "
        "other, where both kinds of logs are configured",
    )
    rounds: int = Field(
        default=9, ge=5, le=1000, description="Samples of each schedule of a kernel [samples]"
    )
    repetitions: int = Field(
        default=5, ge=3, le=100, description="Processes that time a pair's variants [processes]"
    )


# --- The whole -----------------------------------------------------------------------------------
_WHAT_DIFFERS = {
    TorchvisionModel: "give one of them another seed, shape or weights",
    OnnxModel: "remove one of them, or give it another file",
}


def _undecidable(section: str, settings: "Droplet | Transfer", times: int) -> list[Problem]:
    """A rank test of too few samples cannot reach the level: nothing would ever be accepted."""

    def smallest_p(samples: int) -> float:
        return 1 / math.comb(2 * times * samples, times * samples)

    if smallest_p(settings.confirm_repeats) < settings.significance:
        return []
    enough = next(n for n in itertools.count(2) if smallest_p(n) < settings.significance)
    text = (
        f"{settings.confirm_repeats} samples can never show a difference at significance "
        f"{settings.significance:g}; allowed with it: an integer from {enough} to 100"
    )
    return [Problem((section, "confirm_repeats"), text)]


class Config(_Settings):
    """Configuration of the Rivulet workflow."""

    models: Annotated[
        Mapping[ModelName, ModelDefinition],
        Allowed("a mapping from names to definitions, with at least one entry"),
    ] = Field(
        min_length=1,
        description="Models to tune",
        json_schema_extra={"propertyNames": {"pattern": _NAME}},
    )
    hardware: Annotated[
        Mapping[HardwareName, Hardware],
        Allowed("a mapping from names to definitions, with at least one entry"),
    ] = Field(
        default_factory=lambda: {"local": Hardware()},
        min_length=1,
        description="Machines to tune for",
        json_schema_extra={
            "default": {"local": {}},
            "propertyNames": {"pattern": _NAME},
        },
    )
    trials: Annotated[
        tuple[int, ...],
        BeforeValidator(_trials),
        Allowed(_TRIALS_ALLOWED),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                    {
                        "type": "array",
                        "items": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                        "minItems": 1,
                        "uniqueItems": True,
                    },
                ]
            }
        ),
    ] = Field(
        default=(5000,),
        description="Trials of the Ansor search per model; a list is a sweep [candidates]",
    )
    logs: Annotated[
        tuple[Literal["ansor", "droplet"], ...],
        BeforeValidator(_logs),
        Allowed(_LOGS_ALLOWED),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"enum": list(_LOGS)},
                "minItems": 1,
                "uniqueItems": True,
            }
        ),
    ] = Field(
        default=_LOGS, description="Logs of the source model that transfer-tuning starts from"
    )
    pairs: Annotated[
        Literal["all"] | tuple[tuple[str, str], ...],
        BeforeValidator(_pairs),
        Allowed(_PAIRS_ALLOWED),
        WithJsonSchema(
            {
                "anyOf": [
                    {"const": "all"},
                    {
                        "type": "array",
                        "items": {
                            "type": "array",
                            "items": {"type": "string"},
                            "minItems": 2,
                            "maxItems": 2,
                            "uniqueItems": True,
                        },
                        "uniqueItems": True,
                    },
                ]
            }
        ),
    ] = Field(
        default="all",
        description="Pairs of models to transfer between; all is every ordered pair of "
        "different models, an empty list is none",
    )
    pool: bool = Field(
        default=True,
        description="Whether each model also gets the schedules of all the others, and of the "
        "library, at once, whatever the pairs are, where these are two or more",
    )
    library: Annotated[
        Mapping[ModelName, Library],
        Allowed("a mapping from names to logs"),
    ] = Field(
        default_factory=dict,
        description="Logs from elsewhere that are sources of transfers like the models' own",
        json_schema_extra={"default": {}, "propertyNames": {"pattern": _NAME}},
    )
    search: Search = Field(default=Search(), description="The Ansor search")
    measure: Measure = Field(default=Measure(), description="Measuring of candidates")
    droplet: Droplet = Field(default=Droplet(), description="The droplet search")
    transfer: Transfer = Field(default=Transfer(), description="Transfer-tuning")
    warm_start: WarmStart = Field(
        default=WarmStart(), description="Ansor's search started from transfers"
    )
    benchmark: Benchmark = Field(default=Benchmark(), description="The comparison of models")
    droplet_study: DropletStudy = Field(
        default=DropletStudy(), description="What droplet search is worth"
    )

    SECTIONS: ClassVar[tuple[str, ...]] = (
        "search", "measure", "droplet", "transfer", "warm_start", "benchmark", "droplet_study",
    )  # fmt: skip

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> "Config":
        problems = [
            *_case_clashes("models", list(self.models)),
            *_case_clashes("hardware", list(self.hardware)),
            *_case_clashes("library", list(self.library), list(self.models)),
            *self._same_definitions(_base_dir(info)),
            *self._bad_pairs(),
            # What a descent has found is decided by twice as many samples.
            *_undecidable("droplet", self.droplet, 2),
            *_undecidable("transfer", self.transfer, 1),
            *self._bad_processes(),
        ]
        if problems:
            refuse(*problems)
        return self

    def _bad_processes(self) -> list[Problem]:
        least, most = self.benchmark.processes, self.benchmark.max_processes
        if least == 1 or most >= least:
            return []
        text = f"{most} is less than benchmark.processes; allowed: an integer from {least} to 100"
        return [Problem(("benchmark", "max_processes"), text)]

    def _same_definitions(self, base_dir: Path) -> list[Problem]:
        problems = []
        first: dict[object, str] = {}
        for name, model in self.models.items():
            same: object = model
            if isinstance(model, OnnxModel):
                same = (base_dir / model.onnx).resolve()
            if same in first:
                text = f"{shown(name)} has the same definition as {shown(first[same])}"
                problems.append(Problem(("models",), f"{text}; {_WHAT_DIFFERS[type(model)]}"))
            first.setdefault(same, name)
        return problems

    def _bad_pairs(self) -> list[Problem]:
        if self.pairs == "all":
            return []
        problems = []
        models = list(self.models)
        for i, pair in enumerate(self.pairs):
            written, at = shown(list(pair)), ("pairs", i)
            choices = {0: [*models, *self.library], 1: models}
            unknown = [j for j in (0, 1) if pair[j] not in choices[j]]
            for j in unknown:
                names = choices[j]
                hint = did_you_mean(pair[j], names)
                text = f"{shown(pair[j])} is no model; allowed: {', '.join(names)}{hint}"
                problems.append(Problem((*at, j), text))
            if unknown:
                continue
            if pair[0] == pair[1]:
                text = f"{written} has twice the same model; allowed: two different models"
                problems.append(Problem(at, text))
            elif pair in self.pairs[:i]:
                problems.append(Problem(at, f"{written} is a duplicate; allowed: each pair once"))
        return problems

    @property
    def pair_list(self) -> list[tuple[str, str]]:
        """The (source, target) pairs to transfer between."""
        if self.pairs == "all":
            sources = [*self.models, *self.library]
            return [(a, b) for a in sources for b in self.models if a != b]
        return list(self.pairs)

    def pool_of(self, target: str) -> list[str]:
        """The sources that a target's pool is made of."""
        return [name for name in (*self.models, *self.library) if name != target]

    @property
    def pooled_targets(self) -> list[str]:
        """The models that get a pool; one of a single source would be the pair again."""
        return [name for name in self.models if self.pool and len(self.pool_of(name)) > 1]

    def canonical_json(self) -> str:
        """Return the one spelling of this configuration: every key, sorted, no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _case_clashes(key: str, names: list[str], taken: Iterable[str] = ()) -> list[Problem]:
    # Names become folders, and some file systems do not tell upper from lower case.
    problems = []
    first: dict[str, str] = {name.lower(): name for name in taken}
    for name in names:
        if first.get(name.lower()) == name:
            text = f"{shown(name)} is a model's name already; give the log another name"
            problems.append(Problem((key,), text))
        elif name.lower() in first:
            other = first[name.lower()]
            text = f"{shown(name)} differs only by case from {shown(other)}; give one another name"
            problems.append(Problem((key,), text))
        first.setdefault(name.lower(), name)
    return problems
