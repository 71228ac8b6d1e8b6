#!/usr/bin/env python3
"""Compare Rivulet's search with TVM's stock tuner, side by side, and with ONNX Runtime.

Prints what runs and for how long, then a table, and as its last line one JSON object with the six
figures. Finished runs are kept: the same command goes on after an interruption. What each figure
means, and how the two sides are kept equal, stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.command import say
from comparison.launch import execute
from comparison.output import table_lines
from comparison.plan import SECTIONS, Conditions, Options
from comparison.run import Run, Store
from comparison.sections import GROWTH_SCRIPT, Comparison, summary
from comparison.workfolder import RUNS, work_folder
from rivulet.config import load_config
from rivulet.errors import UserError
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.progress import duration
from rivulet.tvm_compat import installed_version
from rivulet.workflow.choices import device_of

_ROOT = Path(__file__).resolve().parents[1]
RESULTS = "results.json"
_SAY_EVERY = 15.0
_FULL: dict[str, Any] = {
    "throughput_model": "resnet18", "throughput_trials": 640, "peer_batch": None, "repeats": 2,
    "stock_batch": True, "size": 224,
    "quality_models": ("resnet18", "squeezenet1_1", "mobilenet_v2"),
    "quality_size": 224, "quality_trials": 640, "quality_peer_batch": None,
    "seeds": (42, 43), "rounds": 12,
    "growth_trials": 5000, "models": ("resnet18",), "trials": 2000,
}  # fmt: skip
# The peer's batch is what the full run would derive for resnet18's 19 kernels: the smaller one of
# a smaller budget would make the peer pay for a round's search and builders more often than there.
# Of torchvision's models alexnet has the fewest kernels, 14, so that a single round of the peer for
# each, which is what a batch of 4 leaves time for, takes only minutes.
_QUICK = _FULL | {
    "throughput_trials": 96, "peer_batch": 16, "repeats": 1, "stock_batch": False,
    "quality_models": ("alexnet",), "quality_trials": 56, "quality_peer_batch": 4,
    "seeds": (42,), "rounds": 6, "growth_trials": 1000, "trials": 96,
}  # fmt: skip


class Interrupted(BaseException):
    """The comparison was asked to end."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Where a default has two values, the second is that of --quick.",
    )  # fmt: skip
    add = parser.add_argument
    add("--quick", action="store_true", help="a rough answer in about a quarter of an hour")
    add("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION",
        help=f"of: {', '.join(SECTIONS)} (default: all)")  # fmt: skip
    add("--work", type=Path, default=_ROOT / "benchmarks/work", metavar="FOLDER",
        help="where finished runs are kept (default: benchmarks/work)")  # fmt: skip
    add("--fresh", action="store_true", help="forget the runs that are kept, and start over")
    add("--config", type=Path, default=_ROOT / "config/config.yaml", metavar="FILE",
        help="settings of search, measure and benchmark (default: config/config.yaml)")  # fmt: skip
    add(
        "--hardware",
        default="local",
        metavar="NAME",
        help="hardware of the config (default: local)",
    )

    def number(name: str, text: str) -> None:
        key = name.strip("-").replace("-", "_")
        add(name, type=_positive, metavar="N", help=f"{text} ({_defaults(key)})")

    def names(name: str, text: str, kind: Any = str) -> None:
        key = name.strip("-").replace("-", "_")
        add(name, nargs="+", type=kind, metavar="X", help=f"{text} ({_defaults(key)})")

    add("--throughput-model", metavar="X", help=f"model ({_defaults('throughput_model')})")
    add("--throughput-trials", type=_several, metavar="N",
        help=f"throughput: trials of each run ({_defaults('throughput_trials')})")  # fmt: skip
    number("--peer-batch", "throughput: candidates per batch of the peer")
    number("--repeats", "throughput: runs of each side, in turns")
    stock = f"throughput: also run the peer with its default batch ({_defaults('stock_batch')})"
    add("--stock-batch", action=argparse.BooleanOptionalAction, help=stock)
    number("--size", "throughput, onnxruntime: height and width of the input")
    names("--quality-models", "quality: models")
    number("--quality-size", "quality: height and width of the input")
    number("--quality-trials", "quality: trials of each search")
    number("--quality-peer-batch", "quality: candidates per batch of the peer")
    names("--seeds", "quality: seeds of the searches; the first one is that of the other sections",
          _positive)  # fmt: skip
    number("--rounds", "quality: samples of each winner")
    number("--growth-trials", "growth: trials, 1000 at least")
    names("--models", "onnxruntime: models")
    number("--trials", "onnxruntime: trials of each search")
    return parser.parse_args(arguments)


def options_of(parsed: argparse.Namespace) -> Options:
    """The options: what was given, and the defaults for the rest."""
    values = dict(_QUICK if parsed.quick else _FULL)
    for key in values:
        given = getattr(parsed, key)
        if given is not None:
            values[key] = tuple(given) if isinstance(given, list) else given
    return Options(sections=tuple(parsed.sections), quick=parsed.quick, **values)


def conditions_of(parsed: argparse.Namespace, seed: int) -> Conditions:
    """The conditions that the config and this machine set."""
    config = load_config(parsed.config)
    if parsed.hardware not in config.hardware:
        raise UserError(
            f"--hardware {parsed.hardware}: {parsed.config} has no such entry; it has "
            f"{', '.join(config.hardware)}"
        )
    settings = config.model_dump(mode="json")
    return Conditions(
        device_of(config, parsed.hardware), settings["search"], settings["measure"],
        settings["benchmark"], seed,
    )  # fmt: skip


class Session:
    """Does runs, one after the other, and tells how far it is.

    Args:
        store: What is finished already.
        threads: Threads that kernels run on.
    """

    def __init__(self, store: Store, threads: int) -> None:
        self._store, self._threads = store, threads

    def complete(self, runs: Sequence[Run]) -> None:
        """Do those of the runs that are not finished yet."""
        missing = [run for run in runs if self._store.finished(run) is None]
        done = len(runs) - len(missing)
        if missing and done:
            say(f"{done} of {len(runs)} runs are kept from an earlier invocation")
        for index, run in enumerate(missing):
            left = sum(one.seconds for one in missing[index:])
            say(
                f"[{done + index + 1}/{len(runs)}] {run.label}: about {duration(run.seconds)}; "
                f"all that follows, this included: about {duration(left)}"
            )
            kept = execute(run, self._store, self._threads, say, _Ticker(run))
            say(f"  done in {duration(kept['wall_s'])}")

    def kept(self, run: Run) -> dict[str, Any]:
        """What is kept of a finished run."""
        found = self._store.finished(run)
        if found is None:
            raise RuntimeError(f"{run.label} is not finished")
        return found


class _Ticker:
    """Says now and then how far a run is."""

    def __init__(self, run: Run) -> None:
        self._run, self._last = run, 0.0

    def __call__(self, done: int, seconds: float) -> None:
        if seconds - self._last < _SAY_EVERY:
            return
        self._last = seconds
        if not self._run.total or not done:
            say(f"  {duration(seconds)} gone")
            return
        left = seconds * max(0, self._run.total - done) / done
        say(f"  {duration(seconds)} gone, {done}/{self._run.total}, about {duration(left)} left")


def compare(parsed: argparse.Namespace) -> None:
    """Do what is missing, and say what came out."""
    options = options_of(parsed)
    conditions = conditions_of(parsed, options.seeds[0])
    with work_folder(parsed.work.resolve(), parsed.fresh) as folder:
        machine = environment(conditions.device) | {"tvm": installed_version()}
        say(
            f"{machine['cpu']}, {machine['threads']} thread(s) of {machine['cpus_usable']} CPU(s), "
            f"TVM {machine['tvm']}, load {machine['load_1min']}"
        )
        say(f"runs are kept in {folder / RUNS}; interrupt at any time, the same command goes on")
        if "growth" in options.sections and not GROWTH_SCRIPT.exists():
            say(f"{GROWTH_SCRIPT} is not there: the growth section will be left out")
        session = Session(Store(folder / RUNS), conditions.device.threads)
        comparison = Comparison(options, conditions, session.kept)
        session.complete(comparison.preparations())
        session.complete(comparison.runs())
        figures = comparison.figures()
        short = summary(figures, options.quick)
        machine["load_1min_at_end"] = round(os.getloadavg()[0], 2)
        results = {
            **short, "machine": machine, "figures": figures,
            "runs": [run.name for run in (*comparison.preparations(), *comparison.runs())],
        }  # fmt: skip
        (folder / RESULTS).write_text(json.dumps(results, indent=1))
        print()
        print("\n".join(table_lines(figures, options.quick)))
        print(
            f"machine: {machine['cpu']}, {machine['threads']} thread(s), TVM {machine['tvm']}, "
            f"load now {machine['load_1min_at_end']}"
        )
        print(f"all results: {folder / RESULTS}; the trials of each run: {folder / RUNS}")
        print(json.dumps(short), flush=True)


def main() -> int:
    """Run the command line."""
    parsed = parse()

    def stop(number: int, frame: object) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)  # impatience must not leave processes behind
        raise Interrupted(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        compare(parsed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Interrupted as stopped:
        print(
            f"stopped ({stopped}); finished runs are kept, and the same command goes on with the "
            "rest", file=sys.stderr,
        )  # fmt: skip
        return 130 if str(stopped) == "SIGINT" else 143
    return 0


def _positive(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
    return int(text)


def _several(text: str) -> int:
    return _positive(text, 2)  # a rate between trials takes two of them


def _defaults(key: str) -> str:
    def shown(value: Any) -> str:
        if value is None:
            return "derived from the budget"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    full, quick = shown(_FULL[key]), shown(_QUICK[key])
    return f"default: {full}" if full == quick else f"default: {full}, or {quick}"


if __name__ == "__main__":
    raise SystemExit(main())
