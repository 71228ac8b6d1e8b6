#!/usr/bin/env python3
"""Is Rivulet's droplet search right, and what is it worth?

Four sections: `bowl`, a synthetic space with a known optimum; `upstream`, beside TVM's own droplet
for MetaSchedule on the same log; `gain`, on logs of Ansor's search beside that search gone on for
as long; `pairs`, before and after transfer-tuning. The last two run the workflow itself, in folders
of their own. Prints a table, and as its last line one JSON object. Finished work is kept: the same
command goes on after an interruption. What each figure means stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comparison.bowl import descend_bowls
from comparison.command import parse_sections, say
from comparison.droplet_figures import (
    effect_lines,
    gain_lines,
    read_effect_rows,
    read_gain_rows,
    summary,
    upstream_figures,
    upstream_lines,
)
from comparison.launch import execute
from comparison.run import Run, Store
from comparison.workflow import run_workflow
from rivulet.config.load import validate_config
from rivulet.jobs.progress import duration
from rivulet.methods import ANSOR
from rivulet.paths import EFFECT, GAIN, OWN_LOG, RECORD, WORKLOADS
from rivulet.provenance import digest_of
from rivulet.provenance.code import stage_code
from rivulet.tvm_compat import installed_version
from rivulet.workflow.choices import device_of

_ROOT = Path(__file__).resolve().parents[1]
_HARDWARE = "local"
SECTIONS = ("bowl", "upstream", "gain", "pairs")
_PAIRED = ("resnet50", "googlenet", "alexnet")
_SPEC_ROUNDS = 15


@dataclass(frozen=True)
class Plan:
    """Sizes of a full or a quick run.

    Attributes:
        size: Height and width of the inputs.
        trials: Trials of the logs; the sweep's are parts of it.
        sweep: Trial counts of the gain section.
        budget: Droplet's trials there.
        models: Models there; the first is also that of the upstream section.
        paired: Models of the pairs section, each a source and a target of all others.
        pair_budget: Droplet's trials there.
        repetitions: Processes that time each pair.
        runs: Descents of each kind of bowl.
    """

    size: int
    trials: int
    sweep: tuple[int, ...]
    budget: int
    models: tuple[str, ...]
    paired: tuple[str, ...]
    pair_budget: int
    repetitions: int
    runs: int


FULL = Plan(224, 640, (160, 320, 640), 640, ("resnet18", "mobilenet_v2"), _PAIRED, 200, 5, 200)
QUICK = Plan(64, 128, (128,), 128, ("resnet18",), ("resnet18", "squeezenet1_1"), 32, 3, 25)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    return parse_sections("droplet", __doc__, SECTIONS, arguments)


def configuration(plan: Plan, section: str) -> dict[str, Any]:
    """The workflow's config for a section; what it leaves out has its default."""
    gain = section == "gain"
    shape = [1, 3, plan.size, plan.size]
    models = plan.models if gain else plan.paired
    return {
        "models": {name: {"torchvision": name, "shape": shape} for name in models},
        "trials": list(plan.sweep) if gain else [plan.trials],
        "pairs": [] if gain else "all",
        "pool": False,
        "droplet": {"trials": plan.budget if gain else plan.pair_budget},
        "benchmark": {"max_seconds_per_method": 10},
        "droplet_study": {"repetitions": plan.repetitions},
    }


def targets(section: str) -> list[str]:
    """Files that the workflow is asked for."""
    gain, effect = ((one + ".csv").at(hardware=_HARDWARE) for one in (GAIN, EFFECT))
    return [gain] if section == "gain" else [gain, effect]


def run_section(options: argparse.Namespace, plan: Plan, section: str, wanted: list[str]) -> Path:
    """Run the workflow for a section; returns the folder that it ran in."""
    work: Path = options.work / section
    config = configuration(plan, section)
    say(f"section '{section}': {', '.join(config['models'])}")
    run_workflow(work, section, config, wanted, options.cores)
    return work


def upstream(options: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """Both sides' winners on the log of the gain section's first model."""
    model = plan.models[0]
    log = OWN_LOG.at(own_log=ANSOR, hardware=_HARDWARE, trials=plan.trials, model=model)
    work = run_section(options, plan, "gain", [log / RECORD])
    config = validate_config(configuration(plan, "gain"))
    device = device_of(config, _HARDWARE)
    common = {
        "device": device.to_json(), "tvm": installed_version(), "model": model, "size": plan.size,
        "seed": 0, "measure": config.measure.model_dump(mode="json"),
        "source": str(work / log), "made_of": digest_of(work / log / RECORD),
        "workloads": str(work / WORKLOADS.at(hardware=_HARDWARE, model=model)),
    }  # fmt: skip
    store = Store(options.work / "runs")

    def done(run: Run) -> dict[str, Any]:
        if store.finished(run) is None:
            say(run.label)
            execute(run, store, device.threads, say, lambda units, seconds: None)
        kept = store.finished(run)
        assert kept is not None
        return dict(kept["result"])

    theirs = Run("post_opt", f"TVM's own droplet on the log of {model}",
                 {**common, "trials": plan.trials}, 400)  # fmt: skip
    found = done(theirs)
    ours = Run(
        "versus_post_opt", f"Rivulet's droplet on it, {found['trials']} trials",
        {
            **common, "trials": found["trials"], "upstream": theirs.name, "rounds": _SPEC_ROUNDS,
            "droplet": config.droplet.model_dump(mode="json"), "code": stage_code("droplet"),
        },
        200,
    )  # fmt: skip
    return upstream_figures(found, done(ours))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    plan = QUICK if options.quick else FULL
    started = time.monotonic()
    options.work.mkdir(parents=True, exist_ok=True)
    say(f"TVM {installed_version()}, kept in {options.work}")
    figures: dict[str, Any] = {}
    lines: list[str] = []
    if "bowl" in options.sections:
        droplet = validate_config(configuration(plan, "gain")).droplet.model_dump(mode="json")
        bowls = []
        for coordinates in (4, 8, 16):
            for noise in (0.01, 0.05):
                one = descend_bowls(coordinates, noise, plan.runs, droplet)
                bowls.append(asdict(one))
                say(
                    f"bowl, {coordinates} coordinates, {noise:.0%} noise: {one.found:.1%} of "
                    f"{one.runs} at the optimum within the noise ({one.exact:.1%} exactly), after "
                    f"{one.points:.0f} points and {one.samples:.0f} samples on average"
                )
        figures["bowl"] = bowls
    if "upstream" in options.sections:
        figures["upstream"] = upstream(options, plan)
        lines += upstream_lines(figures["upstream"])
    for section in ("gain", "pairs"):
        if section in options.sections:
            made = targets(section)
            work = run_section(options, plan, section, made)
            figures[section] = read_gain_rows(work / made[0])
            lines += gain_lines(figures[section])
            if section == "pairs":
                figures["effects"] = read_effect_rows(work / made[1])
                lines += effect_lines(figures["effects"])
    print("\n".join(lines))
    (options.work / "results.json").write_text(json.dumps(figures, indent=1))
    print(f"\ndone in {duration(time.monotonic() - started)}")
    print(json.dumps({**summary(figures, plan.trials), "quick": options.quick}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
