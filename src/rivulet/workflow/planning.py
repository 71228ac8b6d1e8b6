"""What the workflow does with the config before it plans any job."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rivulet.config.load import OLD_KEYS, check_duplicate_keys, validate_config
from rivulet.config.model import Config
from rivulet.config.pairing import PairChoice, unranked
from rivulet.errors import UserError
from rivulet.jobs.machine import FINGERPRINT_OF_NODE, read_machine
from rivulet.paths import MACHINE
from rivulet.provenance.code import stage_code, stages_with_code
from rivulet.provenance.reconcile import Findings, survey
from rivulet.provenance.record import Record
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.elsewhere import (
    check_elsewhere,
    elsewhere_hardware,
    notes_on_elsewhere,
)
from rivulet.workflow.locks import stale_locks, take_over_lock
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import settings_of
from rivulet.workflow.snakemake_compat import is_known
from rivulet.workflow.targets import check_targets


def load_workflow_config(
    data: Mapping[str, Any], files: Iterable[Any], plans: bool = True
) -> Config:
    """Validate the config as Snakemake merged it; a bad one ends the program with its lines.

    Args:
        data: The merged configuration.
        files: The files that it is from.
        plans: Whether this process plans the workflow. One that runs a single job of it may be on
            a machine that other hardware's settings do not fit.
    """
    paths = [_as_typed(Path(str(file))) for file in files]
    try:
        for path in paths:
            check_duplicate_keys(path)
        config = validate_config(data, source=" + ".join(map(str, paths)) or "config")
        for hardware in planned_hardware(config) if plans else ():
            Plan(config).planned(hardware)
    except UserError as error:
        _end(error)
    for old in [key for key in OLD_KEYS if plans and key in data]:
        print(f"note: {old}: is called {OLD_KEYS[old]}: now, and read as that", file=sys.stderr)
    return config


def before_jobs(plan: Plan, runs: bool, files: Iterable[Any], targets: Iterable[str] = ()) -> None:
    """Look at what is there of earlier runs; only where jobs follow is anything changed.

    Args:
        plan: The plan, written for the jobs.
        runs: Whether jobs run afterwards, so that Snakemake only shows what it would do if not.
        files: The files that the configuration is from.
        targets: What is asked for by name.
    """
    try:
        check_targets(plan.config, targets)
    except UserError as error:
        _end(error)
    findings = survey_results(plan)
    if runs:
        plan.write()
        released = take_over_lock()
        findings.apply()
        lines = [*([released] if released else []), *findings.lines()]
    else:
        lines = [*_notes_for_a_plan(findings, [_as_typed(Path(str(file))) for file in files])]
    for line in [*lines, *findings.notes_on_code()]:
        print(line, file=sys.stderr)


def survey_results(plan: Plan, results: Path = Path("results")) -> Findings:
    """What has to be done so that Snakemake takes the existing artefacts for what they are.

    Args:
        plan: The plan.
        results: Folder of all results, below the folder that Snakemake runs in.
    """

    def expected(record: Record) -> dict[str, Any] | None:
        return expected_settings(plan, record, results)

    code = {stage: stage_code(stage) for stage in stages_with_code()}
    foreign = [results / hardware for hardware in elsewhere_hardware(plan.config)]
    return survey(results, expected, code, is_known, foreign=foreign)


def _notes_for_a_plan(findings: Findings, files: Iterable[Path]) -> list[str]:
    """What a run would do before it plans, so that its plan may be another one."""
    notes = []
    if stale_locks():
        notes.append(
            "note: an earlier run was killed and has left its lock; the next run releases it"
        )
    if count := len(findings.unsettled):
        options = "".join(f" {file}" for file in files)
        what = "1 artefact is" if count == 1 else f"{count} artefacts are"
        notes.append(
            f"note: {what} not as Snakemake expects (copied here, without a file, or with an input "
            "written anew), so that what it shows may not hold; a run puts that right before it "
            f"plans, and 'rivulet adopt --configfile{options}' does so now"
        )
    return notes


def say_notes(config: Config) -> None:
    """Say what the config leaves out, and what differs in results from other machines."""
    for line in [*notes_on_pairs(config), *notes_on_elsewhere(config)]:
        print(line, file=sys.stderr)


def refuse_missing_results(config: Config) -> None:
    """End the program with its lines where results from other machines are not here."""
    try:
        check_elsewhere(config)
    except UserError as error:
        _end(error)


def notes_on_pairs(config: Config) -> list[str]:
    """What a choice of pairs leaves out without its being said."""
    if not isinstance(config.pairs, PairChoice):
        return []
    notes = []
    alone = [name for name, sources in config.chosen_sources.items() if not sources]
    if alone and config.pairs.within == "families":
        have, them, their = ("has", "it", "its") if len(alone) == 1 else ("have", "them", "their")
        notes.append(
            f"note: pairs: {', '.join(alone)} {have} no source in {their} family, so that "
            f"no transfer is made to {them}; give {them} a family in the config, or leave out "
            "'within: families'"
        )
    silent = unranked(config.pairs, config.models)
    if silent:
        notes.append(
            f"note: pairs.ranking: {config.pairs.ranking} ranks no sources of "
            f"{', '.join(silent)}; names decide there"
        )
    return notes


def expected_settings(
    plan: Plan, record: Record, results: Path = Path("results")
) -> dict[str, Any] | None:
    """Settings that the configuration asks for now for what a record describes.

    Args:
        plan: The plan.
        record: The record.
        results: Folder of all results; it tells the fingerprints of a cluster's nodes.

    Returns:
        The settings; None for an artefact that the configuration does not name, or that is not
        made here.
    """
    hardware = record.subject.get("hardware")
    if hardware not in (None, *planned_hardware(plan.config)):
        return None
    settings = settings_of(plan, record, hardware)
    if settings is None:
        return None
    machine = (MACHINE + ".json").below(results, hardware=hardware)
    at_cluster = settings.get("fingerprint") == FINGERPRINT_OF_NODE
    if at_cluster and record.stage != "machine" and machine.exists():
        with contextlib.suppress(UserError):  # Snakemake makes it again, and all that is from it
            settings["fingerprint"] = read_machine(machine)["fingerprint"]
    return settings


def _as_typed(path: Path) -> Path:
    """Snakemake makes paths absolute; people know the file by its path from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _end(error: UserError) -> None:
    print(error, file=sys.stderr)
    raise SystemExit(1)
