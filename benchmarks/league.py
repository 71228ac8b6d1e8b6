#!/usr/bin/env python3
"""How fast is each model here, and in what its user would run instead?

For each model of the league the workflow itself searches schedules (Ansor, then droplet) and
compiles the model; then that and ONNX Runtime, OpenVINO and torch.compile are timed by turns in new
processes, with the same threads, outputs checked first. Ratios are ours over theirs, paired by
process: below 1 we are faster. Ours is the model with droplet's schedules, and with Ansor's where
droplet's has no latency. Prints a table, and as its last line one JSON object. Finished work is
kept: the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparison.command import say
from comparison.workflow import run_workflow
from league_parts.contestants import CONTESTANTS, QUICK, TORCHVISION, Contestant, named
from league_parts.exporting import export_contestant
from league_parts.figures import Standing, standing, summary
from league_parts.match import Match, play, sampling_of
from league_parts.publishing import facts, plain_config, publish
from league_parts.settings import (
    FULL,
    PEERS,
    QUICK_SECONDS,
    Settings,
    configuration,
    wanted,
)
from league_parts.settings import QUICK as QUICK_SETTINGS
from league_parts.table import terminal_lines
from rivulet.config.load import validate_config
from rivulet.errors import UserError
from rivulet.jobs.progress import duration
from rivulet.tvm_compat import installed_version

_ROOT = Path(__file__).resolve().parents[1]
_NAMES = [one.name for one in CONTESTANTS]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; its sizes become `settings`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--models", nargs="+", choices=_NAMES, metavar="MODEL",
        help=f"of: {', '.join(_NAMES)} (default: all)")  # fmt: skip
    add("--quick", action="store_true",
        help=f"a rough answer in a quarter of an hour: {', '.join(QUICK)}, few trials")  # fmt: skip
    add("--trials", type=_count(1), help=f"of Ansor's search, per model (default: {FULL.trials})")
    add("--droplet-trials", type=_count(0),
        help=f"of droplet search, per model (default: {FULL.droplet_trials})")  # fmt: skip
    add("--processes", type=_count(2),
        help=f"new processes to time in, at least (default: {FULL.processes}); twice as many where "
        "intervals stay wide")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER",
        help="where everything is kept (default: below benchmarks/work)")  # fmt: skip
    add("--page", type=Path, metavar="FILE.md",
        help="put table and figure into this page, too, and the CSV beside it")  # fmt: skip
    add("--cores", default="all", help="cores for Snakemake (default: all)")
    options = parser.parse_args(arguments)
    options.models = options.models or (list(QUICK) if options.quick else _NAMES)
    options.settings = settings_of(options)
    place = _ROOT / "benchmarks/work" / ("league-quick" if options.quick else "league")
    options.out = (options.out or place).resolve()
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    """The sizes that the command line asks for."""
    settings = QUICK_SETTINGS if options.quick else FULL
    if options.trials:
        settings = replace(settings, trials=options.trials)
    if options.droplet_trials is not None:
        settings = replace(settings, droplet_trials=options.droplet_trials)
    if options.processes:
        most = options.processes * (1 if options.quick else 2)
        settings = replace(settings, processes=options.processes, max_processes=most)
    return settings


def _count(least: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    number.__name__ = f"number from {least} on"
    return number


def make(one: Contestant, options: argparse.Namespace) -> Match:
    """Export, search, compile and time one contestant; what is there is not made again.

    Raises:
        UserError: Something of it did not work.
        SystemExit: The workflow did not finish.
    """
    out, settings = options.out, options.settings
    if one.package != TORCHVISION:
        path = out / one.definition["onnx"]
        if not path.exists():
            say(f"{one.name}: exporting it from {one.package}, with random weights")
            export_contestant(one, path)
    say(f"{one.name}: {settings.trials} trials, then {settings.droplet_trials} of droplet search")
    data = configuration(settings, out)
    run_workflow(out, "league", data, wanted(one.name, settings), options.cores)
    say(f"{one.name}: timed by turns with {', '.join(PEERS)}")
    here = Path.cwd()
    os.chdir(out)  # the config's paths begin there
    try:
        config = validate_config(data)
    finally:
        os.chdir(here)
    return play(one, settings, config, out, say)


def no_time_for_another(passed: float, longest: float) -> bool:
    """Whether a quick league would take too long with one more model.

    Args:
        passed: Seconds since its start.
        longest: Seconds that the model took which took longest.
    """
    return passed + longest > QUICK_SECONDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    started = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    say(f"TVM {installed_version()}, {len(options.models)} models, kept in {options.out}")
    matches: list[Match] = []
    standings: list[Standing] = []
    failed: dict[str, str] = {}
    longest = 0.0
    sampling = sampling_of(plain_config(options.settings))
    for number, name in enumerate(options.models, 1):
        begun = time.monotonic()
        if options.quick and no_time_for_another(begun - started, longest):
            failed[name] = "no time left; the same command goes on with it"
            say(f"{name}: {failed[name]}")
            continue
        try:
            match = make(named(name), options)
        except (UserError, SystemExit) as error:
            failed[name] = str(error).splitlines()[0]
            say(f"{name}: {failed[name]}")
            continue
        matches.append(match)
        standings.append(standing(match, sampling))
        publish(options.out, None, options.settings, matches, standings, failed)
        ratio = standings[-1].vs_ort
        told = f"{ratio.value:.3f} of ONNX Runtime's latency" if ratio else "no ratio"
        for method, reason in match.failures.items():
            say(f"{name}: {method}: {reason}")
        passed = time.monotonic() - begun
        longest = max(longest, passed)
        say(f"{name} ({number} of {len(options.models)}): {told}, in {duration(passed)}")
    publish(options.out, options.page, options.settings, matches, standings, failed)
    print("\n".join(terminal_lines(standings)))
    print()
    for label, value in facts(options.settings, matches).items():
        print(f"{label}: {value}")
    print(f"\ndone in {duration(time.monotonic() - started)}")
    print(json.dumps({**summary(standings, failed), "quick": options.quick}))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
