#!/usr/bin/env python3
"""How much of Ansor's speedup transfer-tuning reaches, of how many kernels, and in how much time.

Runs the workflow itself for pairs, pools and warm starts of real models, in a folder of its own,
and reads its tables. Prints a table, and as its last line one JSON object. Finished jobs are kept:
the same command goes on after an interruption. What each figure means stands in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.command import say
from comparison.pairs import Coverage, Part, TransferFigures, lines, read_figures
from comparison.workflow import run_workflow
from rivulet.jobs.progress import duration
from rivulet.methods import ANSOR, TRANSFER, WARM, method_of
from rivulet.paths import BENCHMARK, HARDWARE, OWN_LOG, POOL, RANKING, RECORD, WORKLOADS, log_of
from rivulet.provenance import digest_of
from rivulet.tvm_compat import installed_version

_ROOT = Path(__file__).resolve().parents[1]
_HARDWARE = "local"
_PAIRED = ("resnet50", "googlenet", "alexnet")
FULL = (
    Part(
        "pairs", ("resnet18", *_PAIRED), 224,
        pairs=(*((a, b) for a in _PAIRED for b in _PAIRED if a != b), ("resnet18", "resnet50")),
        pools=_PAIRED,
    ),
    Part(
        "mobilenet", ("mobilenet_v2", "resnet18", "resnet50", "mnasnet1_0"), 224,
        pools=("mobilenet_v2",), benchmarked=False,
    ),
    Part("vit", ("vit_b_16", "vit_b_32"), 224, pairs=(("vit_b_16", "vit_b_32"),),
         benchmarked=False),
)  # fmt: skip
QUICK = (
    Part(
        "pairs", ("resnet18", "resnet50", "squeezenet1_1"), 64,
        pairs=(
            ("resnet50", "squeezenet1_1"), ("squeezenet1_1", "resnet50"), ("resnet18", "resnet50"),
        ),
        pools=("resnet50",),
    ),
)  # fmt: skip


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a rough answer, on small inputs, in minutes")
    add("--parts", nargs="+", choices=[part.name for part in FULL], metavar="PART",
        help="of: pairs, mobilenet, vit (default: all)")  # fmt: skip
    add("--trials", type=int, help="trials of each model's log (default: 640; with --quick 128)")
    add("--work", type=Path, default=_ROOT / "benchmarks/work/transfer", metavar="FOLDER",
        help="where everything is kept (default: benchmarks/work/transfer)")  # fmt: skip
    add("--cores", default="all", help="cores for Snakemake (default: all)")
    options = parser.parse_args(arguments)
    made = [part.name for part in (QUICK if options.quick else FULL)]
    if missing := set(options.parts or ()) - set(made):
        parser.error(
            f"--parts {' '.join(sorted(missing))}: no part of --quick, which has: {', '.join(made)}"
        )
    options.trials = options.trials or (128 if options.quick else 640)
    return options


def configuration(part: Part, trials: int, quick: bool) -> dict[str, Any]:
    """The workflow's config for one part; what it leaves out has its default."""
    shape = [1, 3, part.size, part.size]
    config: dict[str, Any] = {
        "models": {name: {"torchvision": name, "shape": shape} for name in part.models},
        "trials": [trials],
        "logs": ["ansor"],
        "pairs": [list(pair) for pair in part.pairs],
        # Untuned models are hundreds of times slower: a few samples of them are enough.
        "benchmark": {"max_seconds_per_method": 10},
    }
    if quick:
        config |= {
            "search": {"batch_size": 8},
            "droplet": {"trials": 16},
        }
    return config


def targets(part: Part, trials: int) -> list[str]:
    """Files that the workflow is asked for."""
    pairs = [*part.pairs, *((POOL, target) for target in part.pools)]
    made = BENCHMARK + ".csv" if part.benchmarked else log_of(method_of(TRANSFER)) / RECORD
    own = made.at(hardware=_HARDWARE, log_kind=ANSOR, trials=trials)
    found = [own.at(source=source, target=target) for source, target in pairs]
    ranking = (RANKING + ".csv").at(hardware=_HARDWARE)
    return [*found, ranking] if part.benchmarked else [*found]


def run_part(part: Part, options: argparse.Namespace) -> None:
    """Run the workflow for one part."""
    say(f"part '{part.name}': {', '.join(part.models)} at {part.size} x {part.size}")
    name = f"{part.name}{'-quick' if options.quick else ''}"
    config = configuration(part, options.trials, options.quick)
    run_workflow(options.work, name, config, targets(part, options.trials), options.cores)


def warm_start(target: str, options: argparse.Namespace) -> dict[str, Any]:
    """How the search started from the pool compares with the cold one, measured side by side."""
    of_target = {"hardware": _HARDWARE, "trials": options.trials, "model": target}
    logs = [options.work / OWN_LOG.at(own_log=kind, **of_target) for kind in (WARM, ANSOR)]
    kept = options.work / f"warm-start-{options.trials}-{target}.json"
    made_of = [digest_of(log / RECORD) for log in logs]
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["made_of"] == made_of:
            return known["found"]
    say(f"warm start of {target}: schedules of both searches measured again, in turns")
    command = [
        sys.executable, str(_ROOT / "benchmarks/warm_start.py"), "--warm", str(logs[0]),
        "--cold", str(logs[1]), "--workloads", str(options.work / WORKLOADS.at(**of_target)),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"benchmarks/warm_start.py failed for {target}; the lines above say why")
    print(done.stdout, end="", flush=True)
    found = json.loads(done.stdout.splitlines()[-1])
    kept.write_text(json.dumps({"made_of": made_of, "found": found}, indent=1))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    started = time.monotonic()
    parts = QUICK if options.quick else FULL
    parts = tuple(p for p in parts if not options.parts or p.name in options.parts)
    say(f"TVM {installed_version()}, {options.trials} trials per model, kept in {options.work}")
    figures: list[TransferFigures] = []
    coverage: list[Coverage] = []
    for part in parts:
        run_part(part, options)
        results = options.work / HARDWARE.at(hardware=_HARDWARE)
        warm = {target: warm_start(target, options) for target in part.pools if part.benchmarked}
        found, covered = read_figures(part, results, options.trials, warm)
        figures += found
        coverage += covered
    print("\n".join(lines(figures, coverage)))
    print(f"\ndone in {duration(time.monotonic() - started)}")
    ranking = options.work / (RANKING + ".csv").at(hardware=_HARDWARE)
    summary = TransferFigures.summary(figures, coverage, ranking)
    print(json.dumps({**summary, "quick": options.quick}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
