"""The configuration as frozen pydantic models.

Together with the modules it imports this is the one source for keys, limits, defaults and
meanings: the JSON schema, the default configuration file and the key table are generated from
it. A description ends in its unit in square brackets where the value has one.
"""

import itertools
import json
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from rivulet.config.context import base_folder
from rivulet.config.hardware import Hardware
from rivulet.config.pairing import BY_NAME, PairChoice, known_log, known_model
from rivulet.config.problems import Allowed, Problem, did_you_mean, refuse, shown
from rivulet.config.sections import (
    Benchmark,
    Droplet,
    DropletStudy,
    Measure,
    Search,
    Transfer,
    WarmStart,
)
from rivulet.config.sources import (
    Donor,
    ModelDefinition,
    OnnxModel,
    Settings,
    TorchvisionModel,
)
from rivulet.config.values import (
    LOGS,
    LOGS_ALLOWED,
    NAME,
    PAIRS_ALLOWED,
    TRIALS_ALLOWED,
    HardwareName,
    ModelName,
    checked_logs,
    checked_pairs,
    checked_trials,
)

_WHAT_DIFFERS = {
    TorchvisionModel: "give one of them another seed, shape or weights",
    OnnxModel: "remove one of them, or give it another file or shape",
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


def _kind_of_pairs(value: object) -> str:
    if isinstance(value, (dict, PairChoice)):
        return "choice"
    return "all" if value == "all" else "list"


class Config(Settings):
    """Configuration of the Rivulet workflow."""

    models: Annotated[
        Mapping[ModelName, ModelDefinition],
        Allowed("a mapping from names to definitions, with at least one entry"),
    ] = Field(
        min_length=1,
        description="Models to tune",
        json_schema_extra={"propertyNames": {"pattern": NAME}},
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
            "propertyNames": {"pattern": NAME},
        },
    )
    trials: Annotated[
        tuple[int, ...],
        BeforeValidator(checked_trials),
        Allowed(TRIALS_ALLOWED),
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
        tuple[str, ...],
        BeforeValidator(checked_logs),
        Allowed(LOGS_ALLOWED),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"enum": list(LOGS)},
                "minItems": 1,
                "uniqueItems": True,
            }
        ),
    ] = Field(default=LOGS, description="Logs of the source model that transfer-tuning starts from")
    pairs: Annotated[
        Annotated[
            Annotated[Literal["all"], Tag("all")]
            | Annotated[tuple[tuple[str, str], ...], Tag("list")]
            | Annotated[PairChoice, Tag("choice")],
            Discriminator(_kind_of_pairs),
        ],
        BeforeValidator(checked_pairs),
        Allowed(PAIRS_ALLOWED),
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
                    PairChoice.model_json_schema(),
                ]
            }
        ),
    ] = Field(
        default="all",
        description="Pairs of models to transfer between; all is every ordered pair of "
        "different models, an empty list is none, a mapping chooses the sources of each target",
    )
    pool: bool = Field(
        default=True,
        description="Whether each model also gets the schedules of all the others, and of the "
        "donors, at once, whatever pairs are listed, where these are two or more; where `pairs` "
        "chooses sources, the pool is made of those",
    )
    donors: Annotated[
        Mapping[ModelName, Donor],
        Allowed("a mapping from names to logs"),
    ] = Field(
        default_factory=dict,
        description="Logs from elsewhere that are sources of transfers like the models' own",
        json_schema_extra={"default": {}, "propertyNames": {"pattern": NAME}},
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
            *_case_clashes("donors", list(self.donors), list(self.models)),
            *self._same_definitions(base_folder(info)),
            *self._bad_pairs(),
            # What a descent has found is decided by twice as many samples.
            *_undecidable("droplet", self.droplet, 2),
            *_undecidable("transfer", self.transfer, 1),
            *self._bad_processes(),
            *self._short_sessions(),
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

    def _short_sessions(self) -> list[Problem]:
        least = 2 * self.measure.run_timeout_s
        return [
            Problem(
                ("hardware", name, "rpc", "session_timeout_s"),
                f"{one.rpc.session_timeout_s:g} s end a session while a candidate is measured "
                f"(measure.run_timeout_s); allowed with it: at least {least:g}",
            )
            for name, one in self.hardware.items()
            if one.rpc is not None and one.rpc.session_timeout_s < least
        ]

    def _same_definitions(self, base_dir: Path) -> list[Problem]:
        problems = []
        first: dict[object, str] = {}
        for name, model in self.models.items():
            same: object = model
            if isinstance(model, OnnxModel):
                told = json.dumps([model.shape, model.inputs], sort_keys=True)
                same = ((base_dir / model.onnx).resolve(), told)
            else:
                same = model.model_copy(update={"family": "auto"})
            if same in first:
                text = f"{shown(name)} has the same definition as {shown(first[same])}"
                problems.append(Problem(("models",), f"{text}; {_WHAT_DIFFERS[type(model)]}"))
            first.setdefault(same, name)
        return problems

    def _bad_pairs(self) -> list[Problem]:
        if self.pairs == "all":
            return []
        if isinstance(self.pairs, PairChoice):
            return self._bad_ranking(self.pairs)
        problems = []
        models = list(self.models)
        for i, pair in enumerate(self.pairs):
            written, at = shown(list(pair)), ("pairs", i)
            choices = {0: [*models, *self.donors], 1: models}
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

    def _bad_ranking(self, choice: PairChoice) -> list[Problem]:
        if choice.ranking == BY_NAME or any(one in choice.places for one in self.models):
            return []
        text = f"{shown(choice.ranking)} ranks no sources of any model of this configuration"
        hint = "; make it for these models (docs/transfer.md), or leave the key out"
        return [Problem(("pairs", "ranking"), text + hint)]

    # What follows is asked for many times, and costs much where the models are many.
    @cached_property
    def chosen_sources(self) -> dict[str, list[str]]:
        """Target to its sources, the best first, where `pairs` chooses them; else empty."""
        if not isinstance(self.pairs, PairChoice):
            return {}
        models = [known_model(name, one) for name, one in self.models.items()]
        donors = [known_log(name, one) for name, one in self.donors.items()]
        return self.pairs.chosen(models, donors)

    @cached_property
    def pair_list(self) -> list[tuple[str, str]]:
        """The (source, target) pairs to transfer between."""
        sources = [*self.models, *self.donors]
        if self.pairs == "all":
            return [(a, b) for a in sources for b in self.models if a != b]
        if isinstance(self.pairs, PairChoice):
            chosen = {(a, b) for b, many in self.chosen_sources.items() for a in many}
            place = {name: i for i, name in enumerate(sources)}
            return sorted(chosen, key=lambda pair: (place[pair[0]], place[pair[1]]))
        return list(self.pairs)

    def pool_of(self, target: str) -> list[str]:
        """The sources that a target's pool is made of, in the order of the configuration."""
        if isinstance(self.pairs, PairChoice):
            chosen = set(self.chosen_sources[target])
            return [name for name in (*self.models, *self.donors) if name in chosen]
        return [name for name in (*self.models, *self.donors) if name != target]

    @cached_property
    def pooled_targets(self) -> list[str]:
        """The models that get a pool; one of a single source would be the pair again."""
        return [name for name in self.models if self.pool and len(self.pool_of(name)) > 1]

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The configuration as JSON values: made once, and not to be changed."""
        return self.model_dump(mode="json")

    def canonical_json(self) -> str:
        """Return the one spelling of this configuration: every key, sorted, no spaces."""
        return json.dumps(self.plain, sort_keys=True, separators=(",", ":"))


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
