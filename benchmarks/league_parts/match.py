"""One model's match: all that run it, by turns, in new processes; and what is kept of it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from league_parts.contestants import Contestant
from league_parts.kernel_sums import sum_to_model
from league_parts.modules import build_module
from league_parts.settings import (
    HARDWARE,
    PEERS,
    ROOFLINE,
    Settings,
    library,
)
from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.repeat import Repeated, repeat_benchmark
from rivulet.benchmark.subject import Subject
from rivulet.config.model import Config
from rivulet.errors import last_line
from rivulet.hardware.lock import device_lock
from rivulet.measure.roofline import COMPUTE, RoofRow
from rivulet.methods import ANSOR, DROPLET
from rivulet.models.precision import tolerance_for
from rivulet.paths import KERNELS, MODEL
from rivulet.provenance import digest_of, read_record
from rivulet.provenance.checkout import versions
from rivulet.provenance.code import stage_code
from rivulet.tables import read_table
from rivulet.workflow.choices import device_of

# What should not run at inference, as the record of a model's kernels counts it.
LEFT = ("transposes_inside", "weight_only_kernels")


@dataclass(frozen=True)
class Match:
    """What was measured of one model.

    Attributes:
        model: Its name.
        groups: Method to latency samples in milliseconds, by process.
        errors: Method to its largest relative error against ONNX Runtime.
        failures: Method to the reason why it has no samples.
        complaints: Why the figures are to be read with care.
        runtimes: Other runtime to its configuration.
        graph: How many kernels of each kind of `LEFT` there are.
        sum_to_model: Our latency over the sum of its kernels', each timed alone; None where ours
            does not run.
    """

    model: str
    groups: dict[str, list[list[float]]]
    errors: dict[str, float]
    failures: dict[str, str]
    complaints: list[str] = field(default_factory=list)
    runtimes: dict[str, dict[str, str]] = field(default_factory=dict)
    graph: dict[str, int] = field(default_factory=dict)
    sum_to_model: float | None = None


def play(
    one: Contestant,
    settings: Settings,
    config: Config,
    folder: Path,
    say: Callable[[str], None],
) -> Match:
    """Measure a contestant, or take what was kept of the very same measurement.

    Args:
        one: The contestant; the workflow has compiled it.
        settings: Of the league.
        config: The workflow's config.
        folder: Where the workflow ran.
        say: Told how it goes.
    """
    kept = folder / "matches" / f"{one.name}.json"
    made_of = _made_of(one, settings, config, folder)
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["made_of"] == made_of:
            return Match(**known["match"])
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Each process compiles for PyTorch anew, but for what an earlier one has left here.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "inductor")
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        device_lock(
            "cpu",
            f"the league's match of {one.name}",
            lambda holder: say(f"  waiting for the device 'cpu', in use by {holder}"),
        ),
    ):
        subject = _subject(one, settings, config, folder, Path(scratch))
        found = repeat_benchmark(subject, _stopping(config), _teller(say))
        ratio = _sum_to_model(subject, config, say) if found.groups(DROPLET) else None
    match = _match(one, folder, subject, found, ratio)
    partial_file = kept.with_suffix(".partial")
    partial_file.write_text(json.dumps({"made_of": made_of, "match": asdict(match)}))
    partial_file.replace(kept)
    return match


def _sum_to_model(subject: Subject, config: Config, say: Callable[[str], None]) -> float | None:
    """What of the model its kernels are; nothing where that fails, which costs no other figure."""
    say("  the model beside the sum of its kernels")
    measure = config.measure.model_dump(mode="json")
    try:
        return sum_to_model(subject, subject.libraries[DROPLET], measure)
    except Exception as error:
        say(f"  it failed: {last_line(error)}")
        return None


def sampling_of(config: Config) -> Sampling:
    """How intervals are made."""
    chosen = config.benchmark
    return Sampling(chosen.confidence, chosen.bootstrap_resamples, chosen.seed)


def _made_of(one: Contestant, settings: Settings, config: Config, folder: Path) -> str:
    """What the match depends on, in short."""
    parts: list[Any] = [
        *(digest_of(folder / library(m, one.name, settings)) for m in (ANSOR, DROPLET)),
        digest_of(folder / (MODEL + ".onnx").at(model=one.name)),
        config.benchmark.model_dump(mode="json"),
        config.measure.model_dump(mode="json"), versions(), stage_code("benchmark"),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _subject(
    one: Contestant, settings: Settings, config: Config, folder: Path, scratch: Path
) -> Subject:
    chosen = config.benchmark.model_dump(mode="json")
    record = read_record(folder / (MODEL + ".json").at(model=one.name))
    tolerance, key = tolerance_for(chosen, record.facts)
    roofs = {row.roof: row.peak for row in read_table(RoofRow, folder / ROOFLINE)}
    return Subject(
        folder / (MODEL + ".onnx").at(model=one.name),
        {m: folder / library(m, one.name, settings) for m in (ANSOR, DROPLET)},
        record.facts["inputs"], device_of(config, HARDWARE),
        TimingSettings.from_settings(chosen),
        tolerance, PEERS, module=partial(build_module, one.name), checks=chosen["inputs"],
        weights=scratch / "weights.npz", peak_gflops=roofs.get(COMPUTE), tolerance_key=key,
    )  # fmt: skip


def _stopping(config: Config) -> Stopping:
    chosen = config.benchmark
    return Stopping(chosen.processes, chosen.max_processes, chosen.precision, sampling_of(config))


def _teller(say: Callable[[str], None]) -> Callable[[int, int, str], None]:
    """Tell of each new process, and of no round."""
    told = set()

    def tell(_: int, __: int, text: str) -> None:
        number = text.partition(",")[0]
        if number not in told:
            told.add(number)
            say(f"  {text}")

    return tell


def _match(
    one: Contestant, folder: Path, subject: Subject, found: Repeated, ratio: float | None
) -> Match:
    kernels_record = (KERNELS + ".json").at(hardware=HARDWARE, model=one.name)
    kernels = read_record(folder / kernels_record).facts
    runtimes: dict[str, dict[str, str]] = {}
    for result in found.results:
        runtimes |= result.runtimes
    return Match(
        one.name, {m: [list(g) for g in found.groups(m)] for m in subject.methods}, found.errors,
        found.failures, found.complaints, runtimes, {name: kernels[name] for name in LEFT},
        ratio,
    )  # fmt: skip
