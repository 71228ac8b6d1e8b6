#!/usr/bin/env python3
"""What does a large matrix cost before anything is measured?

Three sections: `plan`, a dry run of matrices of 10, 30 and 100 models with two logs and three trial
counts, all pairs and five sources per target: its time and memory, and a plot of their growth;
`models`, which of torchvision's classification models can be exported and give kernels; `startup`,
how long each kind of job takes from the start of its process to its first useful work. Prints
tables, and as its last line one JSON object. The models' rows and the jobs' runs are kept: the same
command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import _bootstrap  # noqa: F401
from comparison.command import parse_sections, say
from rivulet.jobs.progress import duration
from scaling.coverage import model_coverage
from scaling.dry_run import (
    DryRun,
    dry_run,
    dry_run_of_all_made,
    plan_rows,
    plot_growth,
)
from scaling.startup import startup_times

SECTIONS = ("plan", "models", "startup")
ALL_SOURCES: tuple[int, ...] = (10, 30, 100)
SOME_SOURCES, MOST_MODELS = 5, 100


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    return parse_sections("scale", __doc__, SECTIONS, arguments)


def plan(options: argparse.Namespace) -> dict[str, Any]:
    """Plan matrices of several sizes; none of their jobs is run."""
    matrices = [*((models, None) for models in ALL_SOURCES), (MOST_MODELS, SOME_SOURCES)]
    # A list of all that a large matrix makes takes as long as its plan.
    made = ALL_SOURCES[:2] if options.quick else ALL_SOURCES
    runs: list[DryRun] = []
    for models, sources in matrices:
        many = "all other models" if sources is None else f"{sources} models"
        say(f"section 'plan': {models} models, each with {many} as sources")
        runs.append(dry_run(options.work / "plan", models, sources))
        if sources is None and models in made:
            say("and when all of it is made")
            runs.append(dry_run_of_all_made(options.work / "plan", models, sources))
    figure = options.work / "growth.svg"
    plot_growth([run for run in runs if run.sources is None and not run.made], figure)
    return {"runs": [asdict(run) for run in runs], "rows": plan_rows(runs), "figure": str(figure)}


def models(options: argparse.Namespace) -> dict[str, Any]:
    """Export models and extract their kernels."""
    rows = model_coverage(options.quick, options.work / "models.csv")
    failed = {row["model"]: row["error"] for row in rows if row["error"]}
    return {"models": len(rows), "ok": len(rows) - len(failed), "failed": failed}


def startup(options: argparse.Namespace) -> dict[str, Any]:
    """Run a small matrix whose jobs tell of their start-up."""
    rows = startup_times(options.quick, options.work / "startup")
    return {"rows": [asdict(row) for row in rows], "worst": max(row.median_s for row in rows)}


def table_lines(title: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as a table, numbers to the right."""
    columns = list(rows[0])
    texts = [[str(row[column]) for column in columns] for row in rows]
    widths = [
        max(len(t) for t in (c, *column))
        for c, column in zip(columns, zip(*texts, strict=True), strict=True)
    ]
    lines = ["", title]
    for line in (columns, *texts):
        lines.append(
            "  "
            + "  ".join(
                t.rjust(w) if i else t.ljust(w)
                for i, (t, w) in enumerate(zip(line, widths, strict=True))
            )
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    started = time.monotonic()
    options.work.mkdir(parents=True, exist_ok=True)
    say(f"kept in {options.work}")
    figures: dict[str, Any] = {}
    lines: list[str] = []
    if "plan" in options.sections:
        figures["plan"] = plan(options)
        lines += table_lines("Planning", figures["plan"]["rows"])
        lines.append(f"  plot: {figures['plan']['figure']}")
    if "models" in options.sections:
        found = figures["models"] = models(options)
        lines += ["", f"Models: {found['ok']} of {found['models']} give kernels"]
        lines += [f"  {name}: {error}" for name, error in found["failed"].items()]
    if "startup" in options.sections:
        figures["startup"] = startup(options)
        lines += table_lines("Start-up of jobs [s]", figures["startup"]["rows"])
    print("\n".join(lines))
    (options.work / "results.json").write_text(json.dumps(figures, indent=1))
    print(f"\ndone in {duration(time.monotonic() - started)}")
    print(json.dumps(last_line(figures) | {"quick": options.quick}))
    return 0


def last_line(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that are compared from one version to the next; null for what was not run."""
    planned = figures.get("plan", {}).get("runs", [])
    runs = {(one["models"], one["sources"]): one for one in planned if not one["made"]}
    last: dict[str, Any] = {
        f"dry_run_s_{models}": round(runs[models, None]["seconds"], 1) if runs else None
        for models in ALL_SOURCES[1:]
    }
    whole, some = runs.get((MOST_MODELS, None)), runs.get((MOST_MODELS, SOME_SOURCES))
    last["dry_run_gib_100"] = round(whole["gib"], 2) if whole else None
    last["dry_run_s_100_top5"] = round(some["seconds"], 1) if some else None
    last["models_ok"] = figures.get("models", {}).get("ok")
    last["startup_s_max"] = figures.get("startup", {}).get("worst")
    return last


if __name__ == "__main__":
    raise SystemExit(main())
