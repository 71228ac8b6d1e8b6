"""The methods that are compared, each declared once.

Paths, rules, tables, figures and packages ask this table, so that a new strategy is one entry here
beside its own file and rule. Queries read `METHODS` when they are asked.
"""

from __future__ import annotations

from dataclasses import dataclass

UNTUNED, ONNXRUNTIME, OPENVINO = "untuned", "onnxruntime", "openvino"
TORCH, TORCH_COMPILE = "torch", "torch-compile"
ANSOR, DROPLET, WARM = "ansor", "droplet", "warm"
TRANSFER, TRANSFER_DROPLET = "transfer", "transfer+droplet"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to a latency of a model: a search, a transfer, or a baseline.

    Attributes:
        name: In tables and on command lines.
        title: As people read it, in the middle of a sentence.
        colour: In figures; legible on white and on near-black alike.
        folder: Its name in paths below ``results/``; empty for a baseline, which has no log.
        work: What its jobs do, in words; empty for a baseline.
        stage: Stage of the workflow that makes its log, as records call it.
        job: Module of `rivulet.stages` that does, where it has another name.
        sections: Sections of the config, besides ``measure``, that its log depends on.
        goes_on_from: The method that it starts where that ends, so that the search time of both
            is what it takes; empty for one that starts by itself.
        source_logs: Kinds of the sources' logs that it takes schedules from; empty for a search
            that knows the model alone.
        moves: Whether it moves schedules from a source to a target, so that it is one of a pair.
            One that does not, but has ``source_logs``, starts from the pool.
        compiles: Whether its own job compiles the model too, and one record speaks for both.
        is_source: Whether transfers may take from its log.
        switches: Keys of the config all of which have to be on, or above zero, for it to be made.
    """

    name: str
    title: str
    colour: str
    folder: str = ""
    work: str = ""
    stage: str = ""
    job: str = ""
    sections: tuple[str, ...] = ()
    goes_on_from: str = ""
    source_logs: tuple[str, ...] = ()
    moves: bool = False
    compiles: bool = False
    is_source: bool = False
    switches: tuple[str, ...] = ()

    @property
    def has_log(self) -> bool:
        """Whether it is searched here; a baseline is not."""
        return bool(self.folder)

    @property
    def maker(self) -> str:
        """Name of the job that makes its log; empty for a baseline."""
        return self.job or self.stage

    @property
    def from_pool(self) -> bool:
        """Whether it is a search of the model's own that starts from the pool."""
        return bool(self.source_logs) and not self.moves

    @property
    def ending(self) -> str:
        """What a label adds for it to a transfer's origin, such as ``, + droplet``."""
        return "" if self.name == TRANSFER else f", {self.title.removeprefix(f'{TRANSFER} ')}"

    @property
    def heading(self) -> str:
        """Its title at the start of a sentence."""
        return self.title[:1].upper() + self.title[1:]


# In the order of tables and legends.
METHODS: tuple[Method, ...] = (
    Method(name=UNTUNED, title="untuned", colour="#8a8f98"),
    Method(name=ONNXRUNTIME, title="ONNX Runtime", colour="#a06cd5"),
    Method(name=OPENVINO, title="OpenVINO", colour="#7f86c9"),
    Method(name=TORCH, title="PyTorch", colour="#b3541e"),
    Method(name=TORCH_COMPILE, title="torch.compile", colour="#c98a5a"),
    Method(
        name=ANSOR,
        title="Ansor",
        colour="#3b82d0",
        folder="ansor",
        work="Ansor's search",
        stage="search",
        sections=("search",),
        is_source=True,
    ),
    Method(
        name=DROPLET,
        title="droplet",
        colour="#d9822b",
        folder="droplet",
        work="droplet search",
        stage="droplet",
        sections=("droplet",),
        goes_on_from=ANSOR,
        is_source=True,
    ),
    Method(
        name=WARM,
        title="warm start",
        colour="#c2456b",
        folder="warm",
        work="warm start",
        stage="warm",
        sections=("search", "warm_start"),
        source_logs=(ANSOR,),
        switches=("warm_start.share",),
    ),
    Method(
        name=TRANSFER,
        title="transfer",
        colour="#2f9e62",
        folder="transfer",
        work="transfer",
        stage="transfer",
        sections=("transfer",),
        source_logs=(ANSOR, DROPLET),
        moves=True,
        compiles=True,
    ),
    Method(
        name=TRANSFER_DROPLET,
        title="transfer + droplet",
        colour="#8f8a1c",
        folder="transfer-droplet",
        work="droplet search after a transfer",
        stage="droplet",
        job="droplet-transfer",
        sections=("droplet",),
        goes_on_from=TRANSFER,
        source_logs=(ANSOR,),
        moves=True,
        switches=("droplet_study.after_transfer", "droplet.trials"),
    ),
)


def method_of(name: str) -> Method:
    """The method of a name.

    Raises:
        KeyError: There is none.
    """
    return {one.name: one for one in METHODS}[name]


def place_of(name: str) -> int:
    """A method's place in tables and legends."""
    return [one.name for one in METHODS].index(name)


def colour_of(name: str, otherwise: str) -> str:
    """A method's colour in figures; ``otherwise`` for what is none of these methods."""
    return next((one.colour for one in METHODS if one.name == name), otherwise)


def baselines() -> tuple[str, ...]:
    """Names of those that are not searched here."""
    return tuple(one.name for one in METHODS if not one.has_log)


def runtimes() -> tuple[str, ...]:
    """Names of the other runtimes, which have no compiled model of ours."""
    return tuple(name for name in baselines() if name != UNTUNED)


def source_kinds() -> tuple[str, ...]:
    """Names of those whose logs transfers may take from."""
    return tuple(one.name for one in METHODS if one.is_source)


def logged() -> list[Method]:
    """Those that have a log of their own."""
    return [one for one in METHODS if one.has_log]


def jobs() -> list[str]:
    """Names of the jobs that make their logs."""
    return [one.maker for one in logged()]


def own() -> list[Method]:
    """The searches of a model's own."""
    return [one for one in logged() if not one.moves]


def moved() -> list[Method]:
    """Those that a source has a part in."""
    return [one for one in logged() if one.moves]


def moves(name: str) -> bool:
    """Whether a method of that name moves schedules between models."""
    return name in [one.name for one in moved()]


def stage_sections() -> dict[str, tuple[str, ...]]:
    """Each stage that makes logs to the sections of the config that these depend on."""
    return {one.stage: one.sections for one in logged()}
