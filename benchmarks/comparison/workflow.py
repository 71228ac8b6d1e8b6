"""Run the workflow itself in a folder of its own, for a benchmark that reads its tables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from comparison.launch import BENCHMARKS

_ROOT = BENCHMARKS.parent


def run_workflow(
    folder: Path, name: str, config: Mapping[str, Any], wanted: Sequence[str], cores: str
) -> None:
    """Make some files of the workflow; what is there already is not made again.

    Args:
        folder: Folder to work in, made where it is not there.
        name: Name of the config's file, and of what is run where it fails.
        config: The workflow's config; what it leaves out has its default.
        wanted: Files, relative to the folder.
        cores: Cores for Snakemake.

    Raises:
        SystemExit: The workflow did not finish.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("scripts", "rules", "src"):
        if not (folder / part).exists():
            (folder / part).symlink_to(_ROOT / part)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dict(config)))
    command = [
        sys.executable, "-m", "snakemake", *wanted, "--snakefile", str(_ROOT / "Snakefile"),
        "--directory", str(folder), "--cores", cores, "--quiet", "rules", "host", "reason",
        "--configfile", str(path),
    ]  # fmt: skip
    if subprocess.run(command).returncode:
        raise SystemExit(
            f"the workflow did not finish '{name}'; the lines above say why. What was measured is "
            "kept: the same command goes on from there."
        )
