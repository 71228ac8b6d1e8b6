"""What a league leaves behind: CSV, figure, and the block of a page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from league_parts.chart import write_chart
from league_parts.contestants import CONTESTANTS, TORCHVISION
from league_parts.figures import Standing, summary
from league_parts.match import Match
from league_parts.settings import HARDWARE, PEERS, Settings, configuration
from league_parts.table import BEGIN, END, markdown, write_csv
from rivulet.config.load import validate_config
from rivulet.config.model import Config
from rivulet.hardware.fingerprint import environment
from rivulet.provenance.checkout import commit, versions
from rivulet.tables import put_between
from rivulet.workflow.choices import device_of

_PACKAGES = ("apache-tvm", "onnxruntime", "openvino", "torch")


def publish(
    out: Path,
    page: Path | None,
    settings: Settings,
    matches: Sequence[Match],
    standings: Sequence[Standing],
    failed: Mapping[str, str],
) -> None:
    """Write CSV, figure and block.

    Args:
        out: Folder for all three.
        page: Page whose block is replaced, and beside which CSV and figure go too; None for none.
        settings: Of the league.
        matches: What was measured.
        standings: Its figures.
        failed: Model to the reason why there is nothing of it.

    Raises:
        UserError: The page has no place for the block.
    """
    write_csv(out / "league.csv", standings, failed)
    write_chart(out / "league.svg", standings)
    said = standings, failed, facts(settings, matches), summary(standings, failed)
    (out / "league.md").write_text(markdown(*said, "league.svg") + "\n")
    if page:
        put_between(page, BEGIN, END, markdown(*said, page.with_suffix(".svg").name))
        for kind in ("csv", "svg"):
            shutil.copyfile(out / f"league.{kind}", page.with_suffix(f".{kind}"))


def facts(settings: Settings, matches: Sequence[Match]) -> dict[str, str]:
    """What a league was run with, in words."""
    device = device_of(plain_config(settings), HARDWARE)
    state = environment(device)
    runtimes: dict[str, dict[str, str]] = {}
    for match in matches:
        runtimes |= match.runtimes
    packages = versions()
    return {
        "Date": time.strftime("%Y-%m-%d"),
        "Machine": f"{state['cpu']}, {device.threads} threads",
        "Packages": ", ".join(f"{name} {packages[name]}" for name in _PACKAGES if name in packages),
        "Commit": commit(),
        "Trials": f"{settings.trials} of Ansor's search, {settings.droplet_trials} of droplet's",
        "Processes": f"{settings.processes} to {settings.max_processes} for each model, "
        f"{settings.samples} rounds in each",
        **{peer: options_text(runtimes[peer]) for peer in PEERS if peer in runtimes},
    }


def plain_config(settings: Settings) -> Config:
    """The workflow's config without the models that are files, wherever these may be."""
    data = configuration(settings, Path())
    known = [one.name for one in CONTESTANTS if one.package == TORCHVISION]
    return validate_config({**data, "models": {name: data["models"][name] for name in known}})


def options_text(options: Mapping[str, str]) -> str:
    """Options of a runtime in one line."""
    return ", ".join(f"{name} = {value}" for name, value in options.items())
