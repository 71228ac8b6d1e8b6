#!/usr/bin/env python3
"""What a transfer costs, step by step, beside the search that it replaces.

Runs the workflow in a folder of its own: for each target Ansor's search, and a transfer from the
logs of all other models, with as many trials as that. Prints a table, and as its last line one JSON
object. Finished jobs are kept: the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.command import say
from comparison.workflow import run_workflow
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR, TRANSFER, method_of
from rivulet.paths import OWN_LOG, POOL, RECORD, log_of
from rivulet.provenance import read_record

_ROOT = Path(__file__).resolve().parents[1]
_HARDWARE = "local"
_TARGETS = ("densenet121", "mobilenet_v3_large", "efficientnet_b0")
_SOURCES = ("resnet18",)
_PROOF = ("settling", "proof")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--targets", nargs="+", default=_TARGETS, metavar="MODEL",
        help=f"models that are transferred to (default: {' '.join(_TARGETS)})")  # fmt: skip
    add("--sources", nargs="*", default=_SOURCES, metavar="MODEL",
        help="models whose logs serve, beside the other targets' (default: resnet18)")  # fmt: skip
    add("--trials", type=int, default=400, help="trials of each log (default: 400)")
    add("--size", type=int, default=224, help="height and width of the input (default: 224)")
    add("--work", type=Path, default=_ROOT / "benchmarks/work/transfer-cost", metavar="FOLDER",
        help="where everything is kept (default: benchmarks/work/transfer-cost)")  # fmt: skip
    add("--cores", default="all", help="cores for Snakemake (default: all)")
    return parser.parse_args(arguments)


def configuration(options: argparse.Namespace) -> dict[str, Any]:
    """The workflow's config; what it leaves out has its default."""
    shape = [1, 3, options.size, options.size]
    models = dict.fromkeys([*options.targets, *options.sources])
    return {
        "models": {name: {"torchvision": name, "shape": shape} for name in models},
        "trials": [options.trials],
        "logs": ["ansor"],
        "pairs": [],
    }


def record_of(target: str, options: argparse.Namespace) -> str:
    """The record of the pool's transfer to a model."""
    log = log_of(method_of(TRANSFER)).at(hardware=_HARDWARE, log_kind=ANSOR, source=POOL)
    return log.at(trials=options.trials, target=target) / RECORD


def own_record_of(target: str, options: argparse.Namespace) -> str:
    """The record of a model's own search."""
    log = OWN_LOG.at(own_log=ANSOR, hardware=_HARDWARE, trials=options.trials, model=target)
    return log / RECORD


def cost(target: str, options: argparse.Namespace) -> dict[str, Any]:
    """What one transfer took, and how it came out."""
    facts = read_record(options.work / record_of(target, options)).facts
    ansor = read_record(options.work / own_record_of(target, options)).facts
    steps = facts["seconds_by_step"]
    whole = sum(steps.values())
    return {
        "target": target,
        "kernels": facts["kernels_total"],
        "ansor_seconds": ansor["search_seconds"],
        "transfer_seconds": round(whole, 2),
        "of_ansor": round(whole / ansor["search_seconds"], 4),
        "settling_and_proof": round(sum(steps[step] for step in _PROOF) / whole, 4),
        "trials": facts["trials_measured"],
        "steps": steps,
        "without_ms": round(median(facts["in_place_before_ms"]), 3),
        "with_ms": round(median(facts["in_place_after_ms"]), 3),
        "kernel_sum_ms": facts["kernel_latency_sum_ms"],
        "ansor_kernel_sum_ms": ansor.get("kernel_latency_sum_ms", ""),
        "put_back": len(facts["put_back"]),
    }


def lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """The table, in Markdown."""
    head = ["target", "kernels", "Ansor s", "transfer s", "of Ansor", "settling and proof",
            "candidates", *found[0]["steps"], "without ms", "with ms"]  # fmt: skip
    rows = [
        [
            one["target"], one["kernels"], f"{one['ansor_seconds']:.0f}",
            f"{one['transfer_seconds']:.0f}", f"{one['of_ansor']:.0%}",
            f"{one['settling_and_proof']:.0%}", one["trials"],
            *(f"{seconds:.1f}" for seconds in one["steps"].values()),
            one["without_ms"], one["with_ms"],
        ]
        for one in found
    ]  # fmt: skip
    table = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in table]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    say(f"{options.trials} trials per model, kept in {options.work}")
    wanted = [
        name
        for target in options.targets
        for name in (
            own_record_of(target, options),
            record_of(target, options),
        )
    ]
    run_workflow(options.work, "transfer-cost", configuration(options), wanted, options.cores)
    found = [cost(target, options) for target in options.targets]
    print("\n".join(lines(found)))
    summary = {
        "worst_of_ansor": max(one["of_ansor"] for one in found),
        "worst_settling_and_proof": max(one["settling_and_proof"] for one in found),
        "slower_than_default": [o["target"] for o in found if o["with_ms"] > o["without_ms"]],
    }
    print(json.dumps({**summary, "transfers": found}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
