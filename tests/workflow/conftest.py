"""A copy of the checkout to run the real workflow in."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, write_onnx

SMALL = {
    "trials": [24],
    "search": {"batch_size": 4, "population": 8, "generations": 1},
    "measure": {"repeats": 3, "min_repeat_ms": 1, "build_workers": 2},
    "droplet": {"trials": 8, "neighbours_per_round": 4, "confirm_repeats": 4},
    "transfer": {"candidates_per_kernel": 1, "records_per_source_kernel": 1},
    "droplet_study": {"after_transfer": False, "gain": False, "effect": False},
    "benchmark": {
        "baselines": ["untuned", "onnxruntime"],
        "inputs": 1,
        "processes": 1,
        "samples": 5,
        "min_sample_ms": 1,
        "settle_ms": 1,
        "bootstrap_resamples": 200,
    },
}


@dataclass(frozen=True)
class Run:
    """A finished call of Snakemake."""

    code: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Rule to number of jobs, from the table of a dry run; without the rule ``all``."""
        if "Job stats:" not in self.text:
            return {}
        table = self.text.split("Job stats:")[1].split("\n\n")[0]
        found = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
        return {rule: int(count) for rule, count in found if rule not in ("all", "total")}

    def reasons(self, rule: str) -> set[str]:
        """Kinds of reasons given for a rule's jobs that are not only a consequence of others."""
        found = set()
        for block in re.split(r"\n(?:local)?rule ", self.text)[1:]:
            if block.startswith(f"{rule}:"):
                reason = re.search(r"^    reason: (.*)", block, re.MULTILINE)
                found.add(reason.group(1).split(":")[0] if reason else "")
        return found


class Checkout:
    """A copy of the project's files with a config of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
            if name and (ROOT / name).is_file() and not name.startswith("docs/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.config = {}

    def configure(self, models: dict, **changes: object) -> None:
        """Write config/test.yaml."""
        hardware = {"local": {"threads": 1}}
        self.config = {"models": models, "hardware": hardware, **SMALL, **changes}
        (self.folder / "config/test.yaml").write_text(yaml.safe_dump(self.config))

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        """Command line of a call."""
        # The config file last: the option takes all that follows for further files.
        return [
            sys.executable, "-m", "snakemake", *arguments, "--cores", str(cores),
            "--configfile", "config/test.yaml",
        ]  # fmt: skip

    def snakemake(self, *arguments: str, cores: int = 2, timeout: float = 600) -> Run:
        """Run Snakemake to its end."""
        result = subprocess.run(
            self.command(*arguments, cores=cores), cwd=self.folder, text=True, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), check=False,
        )  # fmt: skip
        return Run(result.returncode, result.stdout)

    def rivulet(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run the command ``rivulet`` of this copy."""
        return subprocess.run(
            [sys.executable, "-m", "rivulet", *map(str, arguments)], cwd=self.folder, text=True,
            capture_output=True, env=environment(PYTHONPATH=str(self.folder / "src")), check=False,
        )  # fmt: skip

    def adopt(self) -> str:
        """Let Snakemake take copied results for what they are; returns what is said of it."""
        done = self.rivulet("adopt", "--configfile", "config/test.yaml")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plan(self, *arguments: str) -> Run:
        """Dry run."""
        run = self.snakemake("-n", *arguments)
        assert run.code == 0, run.text
        return run


def environment(**extra: str) -> dict[str, str]:
    """Environment of the workflow's processes: nothing of pytest's own path."""
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **extra}


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a table."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture(scope="session")
def small_matrix(tmp_path_factory):
    """A finished run of two small models; whoever changes anything takes a copy (`copied`)."""
    checkout = Checkout(tmp_path_factory.mktemp("small-matrix"))
    checkout.configure(small_models(checkout.folder), logs=["ansor"])
    run = checkout.snakemake()
    assert run.code == 0, run.text
    return checkout


def copied(finished: Checkout, folder: Path) -> Checkout:
    """A finished run with all that Snakemake knows of it, in another folder."""
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True, symlinks=True)
    checkout = Checkout.__new__(Checkout)
    checkout.folder, checkout.config = folder, finished.config
    return checkout


def small_models(folder: Path) -> dict:
    """Two small models of the user's own, with kernels of the same classes."""
    write_onnx(folder / "mine/narrow.onnx", channels=8)
    write_onnx(folder / "mine/wide.onnx", channels=16)
    return {"narrow": {"onnx": "mine/narrow.onnx"}, "wide": {"onnx": "mine/wide.onnx"}}
