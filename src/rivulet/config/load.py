"""Reading and checking of configurations, with one line per problem.

PyYAML reads the file, as it does for Snakemake, so that both see the same values.
"""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rivulet.config.context import Places
from rivulet.config.hardware import Hardware
from rivulet.config.model import Config
from rivulet.config.pairing import PairChoice
from rivulet.config.problems import PROBLEMS, Allowed, did_you_mean, shown
from rivulet.config.remote import Rpc
from rivulet.config.sources import MODEL_KINDS, Donor
from rivulet.errors import UserError

Location = tuple[str | int, ...]
# What a key was called before, which is read on.
OLD_KEYS = {"library": "donors"}


class ConfigError(UserError):
    """A configuration that cannot be used; the message has one line per problem."""


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file."""
    return validate_config(_read(path), source=str(path))


def check_duplicate_keys(path: str | Path) -> None:
    """Raise ConfigError where a mapping of a YAML file has the same key twice.

    Most YAML readers keep the last of them without a word, so this needs the file itself.
    """
    _read(path)


def validate_config(
    data: Mapping[str, Any],
    *,
    source: str = "config",
    base_dir: Path | None = None,
    places: Places | None = None,
) -> Config:
    """Check configuration data and return it with all defaults filled in.

    Args:
        data: The data.
        source: Names it in error lines.
        base_dir: Folder that its paths are relative to; the working directory unless given.
        places: What its ranking's file said when the data was checked before, which it then is
            not again as far as files are concerned; None to look at the files.

    Raises:
        ConfigError: It cannot be used.
    """
    if not isinstance(data, Mapping):
        what = "is empty" if data is None else f"{shown(data)} is not a mapping"
        raise ConfigError(f"{source}: {what}; allowed: a mapping with the key 'models'")
    lines: list[str] = []
    plain = _renamed(_plain(data, (), lines, {}), lines)
    if not lines:
        try:
            return Config.model_validate(plain, context={"base_dir": base_dir, "places": places})
        except ValidationError as error:
            details = error.errors(include_url=False)
        lines = [line for detail in details for line in _lines(detail)]
    # A value that fits none of several types is reported by pydantic once for each of them.
    raise ConfigError("\n".join(f"{source}: {line}" for line in dict.fromkeys(lines)))


def _plain(value: Any, path: Location, lines: list[str], seen: dict[int, Any]) -> Any:
    """Copy any kind of mapping into dicts, and note keys that are not text.

    ``seen`` keeps a value that contains itself (a YAML alias can) from being followed forever.
    """
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, Mapping):
        copy: dict[str, Any] = {}
        seen[id(value)] = copy
        for key, item in value.items():
            if isinstance(key, str):
                copy[key] = _plain(item, (*path, key), lines, seen)
            else:
                lines.append(
                    f"{dotted(path)}: key {shown(key)} is not text; put it in quotes if it is meant"
                )
        return copy
    if isinstance(value, list):
        items: list[Any] = []
        seen[id(value)] = items
        items.extend(_plain(item, (*path, i), lines, seen) for i, item in enumerate(value))
        return items
    return value


def _renamed(plain: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    """With keys by their present names, and a line for one that is there by both."""
    named = {key: value for key, value in plain.items() if key not in OLD_KEYS}
    for old, new in OLD_KEYS.items():
        if plain.get(old) and plain.get(new):
            lines.append(f"{old}: this is what {new} was called; put all of it under {new}")
        elif old in plain and not plain.get(new):
            named[new] = plain[old]
    return named


# --- Error lines -----------------------------------------------------------------------------
def dotted(path: Location) -> str:
    """Return a path such as ("trials", 1) the way it is written for people: trials[1]."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = re.fullmatch(r"[\w.-]+", step)
            text += ("." if text else "") + (step if plain else shown(step))
    return text or "top level"


def _owner(loc: Location) -> tuple[type[BaseModel], Location, Location]:
    """Split an error's location: the settings it is in, the path to them, and the rest."""
    section = loc[0]
    if section == "models" and len(loc) > 2 and loc[2] in MODEL_KINDS:
        return MODEL_KINDS[str(loc[2])], loc[:2], loc[3:]
    if section == "hardware" and loc[2:3] == ("rpc",) and len(loc) > 3:
        return Rpc, loc[:3], loc[3:]
    if section == "hardware" and len(loc) > 1:
        return Hardware, loc[:2], loc[2:]
    if section == "donors" and len(loc) > 1:
        return Donor, loc[:2], loc[2:]
    if section == "pairs" and loc[1:2] == ("choice",):
        return PairChoice, loc[:1], loc[2:]
    if section in Config.SECTIONS:
        return settings_class(Config.model_fields[str(section)]), loc[:1], loc[1:]
    return Config, (), loc


def settings_class(field: FieldInfo) -> type[BaseModel]:
    """Return the class of a field that holds a section."""
    for kind in _flat(field.annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    raise TypeError(f"{field.annotation!r} is not a class of settings")


def _lines(error: ErrorDetails) -> Iterator[str]:
    loc, value, kind = error["loc"], error["input"], error["type"]
    if kind == PROBLEMS and loc[2:] == ("[key]",):  # a bad name; the text says which it is
        loc = loc[:1]
    owner, path, rest = _owner(loc) if loc else (Config, (), ())
    if kind == PROBLEMS:
        for at, text in error["ctx"]["problems"]:
            yield f"{dotted((*path, *rest, *at))}: {text}"
        return
    fields = owner.model_fields
    if kind == "extra_forbidden":
        yield (
            f"{dotted((*path, *rest))}: unknown key; allowed here: {', '.join(fields)}"
            f"{did_you_mean(rest[0], list(fields))}"
        )
        return
    field = fields.get(str(rest[0])) if rest else None
    if kind == "missing" and field:
        yield f"{dotted((*path, *rest))}: required key is missing; allowed: {allowed(field)}"
    elif kind.startswith("model_") or field is None:
        inside = settings_class(field).model_fields if field else fields
        yield (
            f"{dotted((*path, *rest))}: {shown(value)} is not a mapping; "
            f"allowed: a mapping with the keys {', '.join(inside)}"
        )
    else:
        here = dotted((*path, rest[0]))
        union = len(rest) > 1
        text = f"{shown(value)} {'is not valid' if union else _wrong(kind, value)}"
        yield f"{here}: {text}; allowed: {allowed(field)}{_nearest(field, value)}"


_WRONG = {
    "int_type": "is not an integer",
    "int_from_float": "is not an integer",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "bool_type": "is neither true nor false",
    "string_type": "is not text",
    "literal_error": "is not a choice",
    "greater_than": "is out of range",
    "greater_than_equal": "is out of range",
    "less_than": "is out of range",
    "less_than_equal": "is out of range",
    "too_short": "is empty",
}


def _wrong(kind: str, value: object) -> str:
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "is text, not a number"
    if kind.endswith("_type") and kind not in _WRONG:
        return "is not a mapping"
    return _WRONG.get(kind, "is not valid")


def _nearest(field: FieldInfo, value: object) -> str:
    if not isinstance(value, str):
        return ""
    kinds = _flat(field.annotation)
    words = [str(w) for kind in kinds if get_origin(kind) is Literal for w in get_args(kind)]
    if any(kind in (int, float) for kind in kinds):
        # A quoted number, or one such as 1e-3, which YAML reads as text for want of a dot.
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and len(value) < 20:
            return f"; did you mean {Decimal(value.strip().replace('_', '')):f}?"
    return did_you_mean(value, words)


# --- What a value may be -----------------------------------------------------------------------
def allowed(field: FieldInfo) -> str:
    """Return in words what a field's value may be, from its type and limits."""
    return _allowed(field.annotation, field.metadata)


def _flat(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, UnionType):
        return [part for member in get_args(kind) for part in _flat(member)]
    if get_origin(kind) is Annotated:
        return _flat(get_args(kind)[0])
    return [kind]


def _allowed(kind: Any, metadata: list[Any]) -> str:
    for item in metadata:
        if isinstance(item, Allowed):
            return item.text
        if isinstance(item, FieldInfo):  # the limits of one member of a union
            metadata = [*metadata, *item.metadata]
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return ", or ".join(_allowed(member, []) for member in get_args(kind))
    if origin is Annotated:
        return _allowed(get_args(kind)[0], list(kind.__metadata__))
    if origin is Literal:
        return " or ".join(get_args(kind))
    if kind is bool:
        return "true or false"
    noun = {int: "an integer", float: "a number"}.get(kind, "text")
    return f"{noun}{_limits(metadata)}"


def _limits(metadata: list[Any]) -> str:
    limit = {
        name: getattr(item, name)
        for item in metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(item, name, None) is not None
    }
    if "ge" in limit and "le" in limit:
        return f" from {limit['ge']} to {limit['le']}"
    words = {"ge": "of at least", "gt": "above", "le": "up to", "lt": "below"}
    parts = [f"{words[name]} {bound}" for name, bound in limit.items()]
    return f" {' and '.join(parts)}" if parts else ""


# --- YAML --------------------------------------------------------------------------------------
def _read(path: str | Path) -> Any:
    """Read a YAML file; refused where a mapping has a key twice, of which PyYAML keeps the last."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; give the path of an existing configuration file"
        ) from None
    except OSError as error:
        why = error.strerror or "unknown reason"
        raise ConfigError(f"{path}: cannot be read: {why.lower()}; give a readable file") from None
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()  # a tree that still has duplicate keys and line numbers
        lines = list(_duplicates(root, (), set()))
        data = None if root is None or lines else loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _syntax_error(path, error) from None
    if lines:
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines))
    return data


def _syntax_error(path: str | Path, error: Exception) -> ConfigError:
    where, what = "", str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        what = error.problem or error.context or "unknown reason"
        mark = error.problem_mark or error.context_mark
        if mark:
            where = f"line {mark.line + 1}, column {mark.column + 1}: "
    elif isinstance(error, yaml.reader.ReaderError):
        what = f"{error.reason} at position {error.position}"
    elif isinstance(error, RecursionError):
        what = "nested too deeply"
    what = " ".join(what.split())
    return ConfigError(f"{path}: {where}not valid YAML: {what}; mend the file's syntax")


def _duplicates(node: yaml.Node | None, path: Location, seen: set[int]) -> Iterator[str]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _duplicates(item, (*path, i), seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[tuple[str, str], int] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # construction refuses it: it cannot be a key in Python
            here, line = (*path, key.value), key.start_mark.line + 1
            if (key.tag, key.value) in first:
                yield (
                    f"{dotted(here)}: key {shown(key.value)} in line {line} is a duplicate of "
                    f"line {first[key.tag, key.value]}; keep one of the two"
                )
            first.setdefault((key.tag, key.value), line)
            yield from _duplicates(item, here, seen)
