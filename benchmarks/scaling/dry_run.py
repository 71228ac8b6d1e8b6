"""Time and memory of planning a matrix of many models, with no job run."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comparison.launch import BENCHMARKS
from rivulet.config.torchvision_names import classification_models

_ROOT = BENCHMARKS.parent
_KIB_PER_GIB = 1 << 20
_TOTAL = re.compile(r"^total\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class DryRun:
    """What planning took.

    Attributes:
        models: Models of the matrix.
        sources: Sources of each target; None for all other models.
        made: Whether all of it was made already, as empty files.
        jobs: Jobs planned.
        seconds: From the start of the process to its end.
        cpu_seconds: Processor time of the process.
        gib: Largest resident memory of the process.
    """

    models: int
    sources: int | None
    made: bool
    jobs: int
    seconds: float
    cpu_seconds: float
    gib: float


def configuration(models: int, sources: int | None) -> dict[str, Any]:
    """A matrix of as many models, two logs and three trial counts.

    Models are torchvision's, and from the beginning again with other weights once those are used
    up. What droplet search is worth is left out, so that each pair is its two transfers and its two
    benchmarks at each trial count.
    """
    names = classification_models()
    chosen = {
        f"{names[i % len(names)]}{f'_seed{i // len(names)}' if i >= len(names) else ''}": {
            "torchvision": names[i % len(names)],
            "seed": i // len(names),
        }
        for i in range(models)
    }
    return {
        "models": chosen,
        "trials": [1000, 5000, 20000],
        "pairs": "all" if sources is None else {"sources": sources},
        "pool": False,
        "droplet_study": {"after_transfer": False, "gain": False, "effect": False},
    }


def dry_run(folder: Path, models: int, sources: int | None) -> DryRun:
    """Plan a matrix of which nothing is made yet.

    Args:
        folder: Where to; what is there is removed.
        models: Models of the matrix.
        sources: Sources of each target; None for all other models.

    Raises:
        SystemExit: It could not be planned.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("scripts", "rules", "src", "profiles"):
        (folder / part).symlink_to(_ROOT / part)
    path = folder / "matrix.yaml"
    path.write_text(yaml.safe_dump(dict(configuration(models, sources)), sort_keys=False))
    return _timed(folder, models, sources, False)


def dry_run_of_all_made(folder: Path, models: int, sources: int | None) -> DryRun:
    """Plan the matrix of the last `dry_run` again, when all that it would make is there.

    Raises:
        SystemExit: It could not be planned, or is not seen to be made.
    """
    text, _ = _run(["--summary"], folder)
    for line in text.splitlines():
        name, *columns = line.split("\t")
        if columns and name != "output_file":
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    now = time.time()
    for place in (folder / "results").rglob("*"):
        os.utime(place, (now, now))
    found = _timed(folder, models, sources, True)
    if found.jobs:
        raise SystemExit(f"{found.jobs} jobs are planned of a matrix that is made ({folder})")
    return found


def _timed(folder: Path, models: int, sources: int | None, made: bool) -> DryRun:
    began = time.monotonic()
    text, usage = _run(["--dry-run", "--quiet", "rules", "reason", "host"], folder)
    seconds = time.monotonic() - began
    totals = _TOTAL.findall(text)
    jobs = int(totals[-1]) if totals else 0
    cpu = usage.ru_utime + usage.ru_stime
    return DryRun(models, sources, made, jobs, seconds, cpu, usage.ru_maxrss / _KIB_PER_GIB)


def _run(arguments: list[str], folder: Path) -> tuple[str, resource.struct_rusage]:
    """Run Snakemake; returns what it wrote and what it used, its own children left out."""
    command = [
        sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(_ROOT / "Snakefile"),
        "--directory", str(folder), "--cores", "2", "--configfile", str(folder / "matrix.yaml"),
    ]  # fmt: skip
    output = folder / "output.txt"
    with output.open("w") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = output.read_text(errors="replace").strip().splitlines()[-1:]
        raise SystemExit(f"planning failed: {' '.join(last)} (its output: {output})")
    return output.read_text(errors="replace"), usage


def plan_rows(runs: list[DryRun]) -> list[dict[str, Any]]:
    """The runs as a table's rows."""
    return [
        {
            "models": run.models,
            "sources per target": "all" if run.sources is None else run.sources,
            "of it made": "all" if run.made else "nothing",
            "jobs": run.jobs,
            "seconds": round(run.seconds, 1),
            "CPU seconds": round(run.cpu_seconds, 1),
            "GiB": round(run.gib, 2),
        }
        for run in runs
    ]


def plot_growth(runs: list[DryRun], path: Path) -> None:
    """Draw time and memory over the number of models, as an SVG file."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6))
    models = [run.models for run in runs]
    for axes, values, unit in (
        (left, [run.seconds for run in runs], "seconds"),
        (right, [run.gib for run in runs], "GiB"),
    ):
        axes.plot(models, values, marker="o")
        for number, value in zip(models, values, strict=True):
            place = {"textcoords": "offset points", "ha": "right", "fontsize": 9}
            axes.annotate(f"{value:.3g}", (number, value), (-7, 4), **place)
        axes.set(xscale="log", yscale="log", xlabel="models, all pairs", ylabel=unit)
        axes.set_xticks(models, [f"{run.models}\n{run.jobs:,} jobs" for run in runs])
        axes.minorticks_off()
        axes.margins(0.2)
        axes.grid(alpha=0.3)
    figure.suptitle("Planning a matrix with two logs and three trial counts")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
