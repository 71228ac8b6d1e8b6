"""Every path below ``results/``: as a pattern for rules, made for a case, and read back.

A pattern names its parts by wildcards as Snakemake does; ``/`` goes on with a file of a folder and
``+`` with an ending. `Artefact` and `parse` are the way back, wherever the results lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rivulet import methods
from rivulet.methods import Method

RESULTS, TEXT_LOGS = "results", "logs"
POOL = "pool"
_WILDCARD = re.compile(r"{(\w+)}")


class Pattern(str):
    """A path with wildcards, or without any once all are filled in."""

    __slots__ = ()

    def __truediv__(self, name: str) -> Pattern:
        """A file of a folder."""
        return Pattern(f"{self}/{name}")

    def __add__(self, ending: str) -> Pattern:
        """The path with an ending."""
        return Pattern(f"{self}{ending}")

    def at(self, **values: object) -> Pattern:
        """With some wildcards filled in; a value may be one. For all of them `format` is faster."""
        return Pattern(_WILDCARD.sub(lambda one: str(values.get(one[1], one[0])), self))

    def below(self, results: Path, **values: object) -> Path:
        """The path of a case in a folder of results."""
        return results / self.at(**values).removeprefix(f"{RESULTS}/")

    @property
    def folder(self) -> Pattern:
        """The folder that it is in."""
        return Pattern(self.rpartition("/")[0])

    @property
    def text_log(self) -> str:
        """The text log of the job that makes it, below ``logs/`` as it is below ``results/``."""
        return f"{TEXT_LOGS}/{self.removeprefix(f'{RESULTS}/')}.log"

    def parse(self, path: Path | str, rest: str = "") -> dict[str, str] | None:
        """The wildcards' values in a path; None where it has another form.

        Args:
            path: Of a file that may be below any folder, not only ``results``.
            rest: Regular expression of what may follow the pattern.
        """
        parts = re.split(r"{(\w+)}", self.removeprefix(f"{RESULTS}/"))
        seen: set[str] = set()
        text = ""
        for number, part in enumerate(parts):
            if number % 2 == 0:
                text += re.escape(part)
            elif part in seen:
                text += f"(?P={part})"
            else:
                text += f"(?P<{part}>{_allowed(part)})"
                seen.add(part)
        found = re.fullmatch(f"(?:.*/)?{text}{rest}", Path(path).absolute().as_posix())
        return found.groupdict() if found else None


def _allowed(wildcard: str) -> str:
    """What may stand for a wildcard."""
    names = {
        "trials": ["[1-9][0-9]*"],
        "own_log": [re.escape(one.folder) for one in methods.own()],
        "moved": [re.escape(one.folder) for one in methods.moved()],
        "log_kind": [re.escape(name) for name in methods.source_kinds()],
    }
    return "|".join(names.get(wildcard, ["[^/]+?"]))


PLAN = Pattern(f"{TEXT_LOGS}/plan-{{config}}.json")
"""What a run writes for its jobs."""
# Of a pair, in its paths and in what jobs call it.
PAIR = Pattern("{source}-to-{target}")

MODEL = Pattern(f"{RESULTS}/models/{{model}}")
"""An exported model, with ``.onnx``, and its record."""
HARDWARE = Pattern(f"{RESULTS}/{{hardware}}")
"""Everything that depends on a hardware."""
MACHINE = HARDWARE / "machine"
KERNELS = HARDWARE / "kernels/{model}"
WORKLOADS = KERNELS + ".workloads.json.gz"
ROOFLINE = HARDWARE / "roofline"
SIMILARITY = HARDWARE / "similarity"
RANKING = HARDWARE / "transfer/ranking"
GAIN = HARDWARE / "droplet_gain"
EFFECT = HARDWARE / "droplet_effect"
BENCHMARKS = Pattern(f"{RESULTS}/benchmarks")
"""All pairs in one table."""
REPORT = Pattern(f"{RESULTS}/report")

OWN_LOG = HARDWARE / "logs/{own_log}-{trials}/{model}"
"""Folder of a log of a model's own."""
MOVED_LOG = HARDWARE / "{moved}/{log_kind}-{trials}" / PAIR
"""Folder of a transfer's log."""
JOURNAL = HARDWARE / "journals/{own_log}-{trials}/{model}"
SHARED_JOURNAL = HARDWARE / "journals/{own_log}/{model}"
"""One for all trial counts."""
MOVED_JOURNAL = HARDWARE / "journals/{moved}-{log_kind}-{trials}" / PAIR
COMPILED_UNTUNED = HARDWARE / "libraries/untuned/{model}"
COMPILED = HARDWARE / "libraries/{own_log}-{trials}/{model}"
COMPILED_MOVED = HARDWARE / "libraries/{moved}-{log_kind}-{trials}" / PAIR
PACKAGE = HARDWARE / "library/{model}-{own_log}-{trials}"
MOVED_PACKAGE = HARDWARE / "library/{target}-{moved}-from-{source}-{trials}"
BENCHMARK = HARDWARE / "benchmarks/{log_kind}-{trials}" / PAIR
BENCHMARK_KERNELS = HARDWARE / "benchmarks/{log_kind}-{trials}/kernels" / PAIR
BENCHMARK_SAMPLES = HARDWARE / "benchmarks/{log_kind}-{trials}/samples" / PAIR
GAIN_OF_MODEL = GAIN / "{model}"
EFFECT_OF_PAIR = EFFECT / "{trials}" / PAIR

# Files of a log's folder.
RECORD, TRIALS, CANDIDATES = "log.json", "trials.csv", "candidates.csv"
MEASURED = "measured"
"""Folder in a transfer's with all schedules that ran."""


def log_of(method: Method) -> Pattern:
    """Folder of a method's log."""
    if method.moves:
        return MOVED_LOG.at(moved=method.folder)
    return OWN_LOG.at(own_log=method.folder)


def compiled_of(method: Method) -> Pattern:
    """A method's compiled model, without the file's ending."""
    if not method.has_log:
        return COMPILED_UNTUNED
    if method.moves:
        return COMPILED_MOVED.at(moved=method.folder)
    return COMPILED.at(own_log=method.folder)


def compiled_record_of(method: Method) -> Pattern:
    """The record that speaks for a method's compiled model."""
    return log_of(method) / RECORD if method.compiles else compiled_of(method) + ".json"


def split_pair(name: str) -> tuple[str, str]:
    """Source and target of a pair's name; the target is empty where it names none."""
    source, _, target = name.partition("-to-")
    return source, target


@dataclass(frozen=True)
class Artefact:
    """What a path below the results is of; what does not apply is empty.

    Attributes:
        kind: ``log``, ``compiled``, ``package``, ``benchmark``, ``kernels``, ``model`` and so on.
        pattern: Its pattern, without the file in a folder or the file's ending.
        hardware: Name of the hardware.
        method: Name of the method.
        log_kind: Method of the sources' logs.
        trials: Trial count of the log, or of the sources' logs; 0 for none.
        model: The model, or the target of a pair.
        source: Source of a pair.
    """

    kind: str
    pattern: Pattern
    hardware: str
    method: str
    log_kind: str
    trials: int
    model: str
    source: str


# The longer ones first where the end of a path may be another's.
_KINDS = (
    ("log", OWN_LOG),
    ("log", MOVED_LOG),
    ("compiled", COMPILED_UNTUNED),
    ("compiled", COMPILED),
    ("compiled", COMPILED_MOVED),
    ("package", MOVED_PACKAGE),
    ("package", PACKAGE),
    ("benchmark", BENCHMARK_KERNELS),
    ("benchmark", BENCHMARK_SAMPLES),
    ("benchmark", BENCHMARK),
    ("gain", GAIN_OF_MODEL),
    ("effect", EFFECT_OF_PAIR),
    ("ranking", RANKING),
    ("kernels", KERNELS),
    ("model", MODEL),
    ("machine", MACHINE),
    ("roofline", ROOFLINE),
    ("similarity", SIMILARITY),
    ("gain", GAIN),
    ("effect", EFFECT),
    ("benchmarks", BENCHMARKS),
    ("report", REPORT),
)
_FOLDERS = (OWN_LOG, MOVED_LOG, PACKAGE, MOVED_PACKAGE)
# Names may have dots in them.
_ENDING = r"(?:\.(?:csv|json|svg|so|html|onnx|onnx\.weights|inputs\.npz|workloads\.json\.gz))?"


def parse(path: Path | str) -> Artefact | None:
    """What a path below the results is of; None for what is no artefact of the workflow.

    Args:
        path: A file, or the folder of a log or package; the results may lie in any folder.
    """
    for kind, pattern in _KINDS:
        found = pattern.parse(path, r"(?:/.*)?" if pattern in _FOLDERS else _ENDING)
        if found is None:
            continue
        folder = found.get("own_log") or found.get("moved") or ""
        names = [one.name for one in methods.logged() if folder and one.folder == folder]
        untuned = methods.UNTUNED if pattern is COMPILED_UNTUNED else ""
        return Artefact(
            kind=kind,
            pattern=pattern,
            hardware=found.get("hardware", ""),
            method=names[0] if names else untuned,
            log_kind=found.get("log_kind", ""),
            trials=int(found.get("trials", 0)),
            model=found.get("model") or found.get("target") or "",
            source=found.get("source", ""),
        )
    return None


def text_log_of(path: Path | str) -> Path | None:
    """The text log of the job that makes an artefact, from the checkout; None for any other file.

    Args:
        path: As `parse` takes it.
    """
    found = parse(path)
    if found is None:
        return None
    method = methods.method_of(found.method) if found.method else None
    pattern = BENCHMARK if found.kind == "benchmark" else found.pattern
    if found.kind == "compiled" and method is not None and method.compiles:
        pattern = MOVED_LOG
    folder = method.folder if method is not None else ""
    place = pattern.at(
        hardware=found.hardware,
        own_log=folder,
        moved=folder,
        log_kind=found.log_kind,
        trials=found.trials,
        model=found.model,
        target=found.model,
        source=found.source,
    )
    return Path(place.text_log)
