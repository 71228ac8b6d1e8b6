"""Pairs that are chosen and not listed: which sources each target gets, and by which order."""

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from rivulet.config.context import Places, base_folder, places_known
from rivulet.config.problems import Allowed, Problem, refuse, shown
from rivulet.config.sources import (
    Donor,
    OnnxModel,
    Settings,
    TorchvisionModel,
)
from rivulet.config.torchvision_names import family_of

BY_NAME = "names"
_COLUMNS = ("target", "source", "place")
_RANKING_ALLOWED = (
    f"{BY_NAME}, or a CSV file with the columns {', '.join(_COLUMNS)}, relative to the working "
    "directory"
)


class PairChoice(Settings):
    """Some sources for each target, instead of all."""

    sources: Literal["all"] | Annotated[int, Field(ge=1, le=10000)] = Field(
        default="all",
        description="Sources of each target at most, the first ones by the ranking; its pool is "
        "made of the same [sources]",
    )
    within: Literal["all", "families"] = Field(
        default="all",
        description="Whether a target takes sources of its own family of models only",
    )
    ranking: Annotated[str, Allowed(_RANKING_ALLOWED)] = Field(
        default=BY_NAME,
        description="Order of a target's sources: its family first and the most similar names, "
        "or as a file has it, such as a copy of results/NAME/similarity.csv "
        "(docs/transfer.md)",
    )

    _places: Places = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _limits_something(self, info: ValidationInfo) -> "PairChoice":
        known = places_known(info)
        if known is not None:
            self._places = known
        elif self.ranking != BY_NAME:
            self._places = _read_places(self.ranking, base_folder(info) / self.ranking)
        if self.sources == "all" and self.within == "all":
            text = (
                "this limits no pairs; give 'sources' a number, or write 'within: families', or "
                "'pairs: all'"
            )
            refuse(Problem((), text))
        return self

    @property
    def places(self) -> Places:
        """Target to its sources' places by the ranking's file; empty without a file."""
        return self._places

    def chosen(self, models: Iterable["Known"], donors: Iterable["Known"]) -> dict[str, list[str]]:
        """Target to its sources, the first by the ranking first.

        The order of the configuration plays no part.

        Args:
            models: The models, which are targets and sources.
            donors: Logs from elsewhere, which are sources only.
        """
        models = list(models)
        sources = [*models, *donors]
        families: dict[str, list[Known]] = {}
        for one in sources:
            families.setdefault(one.family, []).append(one)
        most = None if self.sources == "all" else self.sources
        found = {}
        for target in models:
            places = self._places.get(target.name, {})
            among = families[target.family] if self.within == "families" else sources
            ranked = sorted(
                (places.get(one.name, math.inf), *unlikeness(one, target), one.name)
                for one in among
                if one.name != target.name
            )
            found[target.name] = [str(key[-1]) for key in ranked[:most]]
        return found


@dataclass(frozen=True)
class Known:
    """What is known of a model or a log before anything is made.

    Attributes:
        name: Its name in the configuration.
        architecture: Name of what it computes, such as ``resnet18``.
        family: Its family, such as ``resnet``.
        shape: Shape of its input; empty where that is not known.
        words: The letters of its architecture's name, split at everything else.
        numbers: The numbers of that name, in order.
    """

    name: str
    architecture: str
    family: str
    shape: tuple[int, ...] = ()
    words: frozenset[str] = field(init=False)
    numbers: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Take the name apart once, as it is compared with every other."""
        parts = re.findall(r"[a-z]+|[0-9]+", self.architecture.lower())
        words = frozenset(part for part in parts if not part.isdigit())
        object.__setattr__(self, "words", words)
        numbers = tuple(int(part) for part in parts if part.isdigit())
        object.__setattr__(self, "numbers", numbers)


def known_model(name: str, definition: TorchvisionModel | OnnxModel) -> Known:
    """What a model's definition tells."""
    if isinstance(definition, TorchvisionModel):
        architecture, shape = definition.torchvision, tuple(definition.shape)
    else:
        architecture, shape = name, ()
    return Known(name, architecture, _family(definition.family, architecture), shape)


def known_log(name: str, entry: Donor) -> Known:
    """What a donor's entry tells; a log's folder has its model's name."""
    folder = Path(entry.log).name
    architecture = folder if family_of(folder) else name
    return Known(name, architecture, _family(entry.family, architecture))


def unlikeness(one: Known, other: Known) -> tuple[bool, float, float, float]:
    """How unlike two models seem: by family, words, numbers and input; smaller is more alike."""
    union = len(one.words | other.words)
    words = 1 - len(one.words & other.words) / union if union else 0.0
    numbers = _apart(zip_longest(one.numbers, other.numbers, fillvalue=0))
    shape = _apart(zip_longest(one.shape, other.shape, fillvalue=1)) if one.shape else 0.0
    # Where one of the two has no known shape, nothing is known of how far they are apart.
    return one.family != other.family, words, numbers, shape if other.shape else 0.0


def _apart(sizes: Iterable[tuple[int, int]]) -> float:
    return sum(abs(math.log((a + 1) / (b + 1))) for a, b in sizes if a != b)


def _family(given: str, architecture: str) -> str:
    if given != "auto":
        return given
    found = re.match(r"[a-z]+", architecture.lower())
    return family_of(architecture) or (found[0] if found else architecture)


def _read_places(name: str, path: Path) -> dict[str, dict[str, float]]:
    """Target to source to its place; the mean, where several lines rank the same two."""
    told: dict[str, dict[str, list[float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            lacking = [one for one in _COLUMNS if one not in (reader.fieldnames or ())]
            if lacking:
                _refuse_ranking(name, f"has no column {', '.join(lacking)}")
            for row in reader:
                place = _place(row["place"])
                if place is None or not row["target"] or not row["source"]:
                    what = f"has in line {reader.line_num} no target, source and place (a number)"
                    _refuse_ranking(name, what)
                told.setdefault(row["target"], {}).setdefault(row["source"], []).append(place)
    except FileNotFoundError:
        _refuse_ranking(name, "is no such file")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        _refuse_ranking(name, f"cannot be read ({error})")
    return {
        target: {source: sum(places) / len(places) for source, places in row.items()}
        for target, row in told.items()
    }


def _place(text: str | None) -> float | None:
    try:
        place = float(text or "")
    except ValueError:
        return None
    return place if math.isfinite(place) else None


def _refuse_ranking(name: str, what: str) -> NoReturn:
    text = f"{shown(name)} {what}; allowed: {_RANKING_ALLOWED}"
    refuse(Problem(("ranking",), text))


def unranked(choice: PairChoice, targets: Mapping[str, object]) -> list[str]:
    """Targets of which a ranking's file says nothing, so that names decide."""
    return [one for one in targets if choice.places and one not in choice.places]
