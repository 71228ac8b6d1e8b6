#!/usr/bin/env python3
"""How far can the benchmark's figures be trusted, and does the report bear a large matrix?

Two sections: `noise`, one model's benchmark again and again, with five copies of one variant in
it: how often do the intervals hold the mean of all benchmarks, and how often are equal variants
called different; `report`, the page of a matrix of 30 models with 100 kernels each: its size, and
how long a browser takes to open it. Prints a table, and as its last line one JSON object. Finished
work is kept: the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import _bootstrap  # noqa: F401
from comparison.browser import open_browser, seconds_to_open
from comparison.command import parse_sections, say
from comparison.stub_results import StubResults
from comparison.workflow import run_workflow
from rivulet.benchmark.estimates import Sampling, Stopping, estimate_latency, estimate_ratio
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.repeat import repeat_benchmark, without_failures
from rivulet.benchmark.subject import Subject
from rivulet.config.load import validate_config
from rivulet.config.model import Config
from rivulet.hardware.lock import device_lock
from rivulet.jobs.progress import duration
from rivulet.measure.ratios import SAME
from rivulet.measure.roofline import COMPUTE, RoofRow
from rivulet.methods import ANSOR
from rivulet.paths import COMPILED, MODEL, ROOFLINE
from rivulet.provenance import digest_of, read_record
from rivulet.provenance.code import stage_code
from rivulet.report.page import build_report
from rivulet.tables import read_table
from rivulet.tvm_compat import installed_version
from rivulet.workflow.choices import device_of

_ROOT = Path(__file__).resolve().parents[1]
_HARDWARE = "local"
_ROOFLINE = (ROOFLINE + ".csv").at(hardware=_HARDWARE)
SECTIONS = ("noise", "report")
COPIES = ("ansor", "second copy", "third copy", "fourth copy", "fifth copy")


@dataclass(frozen=True)
class Plan:
    """Sizes of a full or a quick run.

    Attributes:
        model: Model of the noise section.
        size: Height and width of its input.
        trials: Trials of its search.
        repetitions: Benchmarks of it.
        models: Models of the report section.
        kernels: Kernels of each.
        openings: Times that the page is opened.
    """

    model: str
    size: int
    trials: int
    repetitions: int
    models: int
    kernels: int
    openings: int


FULL = Plan("resnet18", 224, 320, 20, 30, 100, 9)
QUICK = Plan("squeezenet1_1", 64, 96, 12, 30, 100, 3)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    return parse_sections("evidence", __doc__, SECTIONS, arguments)


def configuration(plan: Plan) -> dict[str, Any]:
    """The workflow's config for the noise section; what it leaves out has its default."""
    shape = [1, 3, plan.size, plan.size]
    return {
        "models": {plan.model: {"torchvision": plan.model, "shape": shape}},
        "trials": [plan.trials],
        "pairs": [],
        "pool": False,
        "droplet_study": {"gain": False},
    }


def noise(options: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """Benchmarks of one model, each as the workflow makes one."""
    config = validate_config(configuration(plan))
    compiled = COMPILED.at(own_log=ANSOR, trials=plan.trials, model=plan.model)
    library = (compiled + ".so").at(hardware=_HARDWARE)
    wanted = [library, _ROOFLINE]
    run_workflow(options.work / "noise", "noise", configuration(plan), wanted, options.cores)
    folder = options.work / "noise"
    # Other variants, settings or code make other benchmarks.
    key = json.dumps([COPIES, config.canonical_json(), digest_of(folder / library)])
    name = hashlib.sha256(f"{key} {stage_code('benchmark')}".encode()).hexdigest()[:10]
    kept = folder / f"benchmarks-{name}.json"
    found: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    sampling = _sampling(config)
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        device_lock("cpu", "the benchmark of the evidence", say),
    ):
        subject = _subject(config, plan, folder, folder / library, Path(scratch))
        chosen = config.benchmark
        stopping = Stopping(chosen.processes, chosen.max_processes, chosen.precision, sampling)
        while len(found) < plan.repetitions:
            seen = repeat_benchmark(subject, stopping, lambda *_: None)
            without_failures(seen)
            found.append({method: seen.groups(method) for method in subject.methods})
            partial = kept.with_suffix(".partial")
            partial.write_text(json.dumps(found))
            partial.replace(kept)
            aside = len(seen.results) - len(seen.used)
            said = f", {aside} of them set aside" if aside else ""
            say(
                f"benchmark {len(found)} of {plan.repetitions}: {len(seen.results)} processes{said}"
            )
    return noise_figures(found[: plan.repetitions], sampling)


def noise_figures(found: Sequence[dict[str, Any]], sampling: Sampling) -> dict[str, Any]:
    """What repeated benchmarks of the same variants show of their intervals.

    Args:
        found: For each benchmark, method to samples by process.
        sampling: How intervals are made.
    """
    methods = {}
    for method in found[0]:
        estimates = [estimate_latency(one[method], sampling) for one in found]
        mean = math.exp(statistics.fmean(math.log(one.value) for one in estimates))
        methods[method] = {
            "mean_ms": mean,
            "covered": statistics.fmean(one.low <= mean <= one.high for one in estimates),
            "width": statistics.median(one.width for one in estimates),
            "spread": statistics.stdev(one.value for one in estimates) / mean,
        }
    pairs = list(combinations([name for name in COPIES if name in found[0]], 2))
    called = [
        estimate_ratio(one[ours], one[theirs], sampling).verdict != SAME
        for one in found
        for ours, theirs in pairs
    ]
    return {
        "benchmarks": len(found),
        "processes": statistics.fmean(len(one[COPIES[0]]) for one in found),
        "methods": methods,
        "coverage": statistics.fmean(one["covered"] for one in methods.values()),
        "comparisons": len(called),
        "false_difference": statistics.fmean(called) if called else None,
    }


def _sampling(config: Config) -> Sampling:
    chosen = config.benchmark
    return Sampling(chosen.confidence, chosen.bootstrap_resamples, chosen.seed)


def _subject(config: Config, plan: Plan, folder: Path, library: Path, scratch: Path) -> Subject:
    copies = {name: scratch / f"{number}.so" for number, name in enumerate(COPIES)}
    for path in copies.values():
        shutil.copyfile(library, path)
    chosen = config.benchmark.model_dump(mode="json")
    timing = TimingSettings.from_settings(chosen)
    model = MODEL.at(model=plan.model)
    record = read_record(folder / (model + ".json"))
    return Subject(
        folder / (model + ".onnx"), copies, record.facts["inputs"],
        device_of(config, _HARDWARE), timing, chosen["tolerance"], ("onnxruntime",),
        checks=chosen["inputs"], weights=scratch / "weights.npz",
        peak_gflops=next(
            row.peak for row in read_table(RoofRow, folder / _ROOFLINE) if row.roof == COMPUTE
        ),
    )  # fmt: skip


def noise_lines(figures: dict[str, Any]) -> list[str]:
    """The noise section as a table."""
    lines = [
        "",
        f"{figures['benchmarks']} benchmarks of one model, "
        f"{figures['processes']:.1f} processes each",
        f"  {'variant':<14}{'mean ms':>10}{'spread':>9}{'width of interval':>19}"
        f"{'hold the mean':>15}",
    ]
    lines += [
        f"  {name:<14}{one['mean_ms']:>10.4f}{one['spread']:>9.1%}{one['width']:>19.1%}"
        f"{one['covered']:>15.0%}"
        for name, one in figures["methods"].items()
    ]
    return [
        *lines,
        f"  equal variants called different: {figures['false_difference']:.1%} of "
        f"{figures['comparisons']} comparisons",
    ]


def report(options: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """The page of a large matrix: how it is made, how large it is, how it opens."""
    folder = options.work / "report"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"section 'report': {plan.models} models with {plan.kernels} kernels each")
    inputs = StubResults(folder, plan.models, plan.kernels, ("ansor", "droplet"), 0).write()
    begin = time.monotonic()
    page = folder / "report.html"
    page.write_text(build_report(inputs), encoding="utf-8")
    made = time.monotonic() - begin
    with open_browser() as browser:
        seconds_to_open(browser, page)  # starts what a browser starts at its first page
        opened = [seconds_to_open(browser, page) for _ in range(plan.openings)]
    return {
        "mb": page.stat().st_size / 1e6,
        "seconds_to_make": made,
        "seconds_to_open": statistics.median(opened),
        "slowest": max(opened),
    }


def report_lines(figures: dict[str, Any]) -> list[str]:
    """The report section as a table."""
    return [
        "",
        f"The page: {figures['mb']:.2f} MB, made in {figures['seconds_to_make']:.0f} s, opened in "
        f"{figures['seconds_to_open']:.2f} s (slowest {figures['slowest']:.2f} s)",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    plan = QUICK if options.quick else FULL
    started = time.monotonic()
    options.work.mkdir(parents=True, exist_ok=True)
    say(f"TVM {installed_version()}, kept in {options.work}")
    figures: dict[str, Any] = {}
    lines: list[str] = []
    if "noise" in options.sections:
        figures["noise"] = noise(options, plan)
        lines += noise_lines(figures["noise"])
    if "report" in options.sections:
        figures["report"] = report(options, plan)
        lines += report_lines(figures["report"])
    print("\n".join(lines))
    (options.work / "results.json").write_text(json.dumps(figures, indent=1))
    print(f"\ndone in {duration(time.monotonic() - started)}")
    seen, page = figures.get("noise", {}), figures.get("report", {})
    last = {
        "interval_coverage": _rounded(seen.get("coverage"), 4),
        "false_difference": _rounded(seen.get("false_difference"), 4),
        "report_mb": _rounded(page.get("mb"), 3),
        "report_open_s": _rounded(page.get("seconds_to_open"), 3),
        "quick": options.quick,
    }
    print(json.dumps(last))
    return 0


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


if __name__ == "__main__":
    raise SystemExit(main())
