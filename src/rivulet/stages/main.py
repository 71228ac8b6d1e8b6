"""The command line that all stages share: a plan or a config, and what the artefact is of."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet import methods
from rivulet.config.load import load_config
from rivulet.config.problems import did_you_mean
from rivulet.errors import UserError
from rivulet.jobs.failures import FAILURES
from rivulet.jobs.job import run_job
from rivulet.paths import POOL, parse
from rivulet.stages.stage import Stage
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.plan import Plan
from rivulet.workflow.targets import check_targets

_MEANINGS = {
    "model": "name of the model in the config",
    "hardware": "name of the hardware in the config; the only one there unless given",
    "trials": "trial count of Ansor's search, of the logs that it starts from too",
    "source": "source of the pair: a model, a donor, or 'pool'",
    "target": "target of the pair: a model",
    "log_kind": "kind of the sources' logs",
    "own_log": "kind of the model's own log",
    "moved": "kind of the transfer",
}


def stage_class(name: str) -> type[Stage[Any]]:
    """The class of a stage: ``STAGE`` in the module of its name.

    Raises:
        ModuleNotFoundError: There is no such stage.
    """
    found: type[Stage[Any]] = importlib.import_module(
        f"rivulet.stages.{name.replace('-', '_')}"
    ).STAGE
    return found


def main(*names: str, arguments: Sequence[str] | None = None) -> int:
    """Run a job; returns the exit status.

    Args:
        names: Names of the stages that it may be of: the record's path tells which, where they
            are several.
        arguments: The command line after that; that of the process unless given.
    """
    options = _parser(names).parse_args(arguments)
    try:
        plan = Plan.read(options.plan) if options.plan else Plan(load_config(options.configfile))
        check_targets(plan.config, [str(options.record)] if options.record else [])
        chosen, values = _told_by_record(names, options.record) or (
            stage_class(names[0]), _told_by_options(plan, options)
        )  # fmt: skip
        stage = chosen(plan, values)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    failures = FAILURES if options.plan else None
    return run_job(stage.label, options.log or stage.text_log, stage.run, failures)


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    several = len(names) > 1  # the record tells which: importing all of them would take time
    chosen = None if several else stage_class(names[0])
    parser = argparse.ArgumentParser(
        prog=None if chosen is None else f"rivulet {names[0]}",
        description=f"Make a record: {', '.join(names)}." if chosen is None else chosen.about,
    )
    given = parser.add_mutually_exclusive_group()
    given.add_argument(
        "--configfile", "--config", type=Path, default=Path("config/config.yaml"), metavar="FILE",
        help="the configuration (default: config/config.yaml)",
    )  # fmt: skip
    given.add_argument(
        "--plan", type=Path, metavar="FILE", help="what a run of the workflow has written for it"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", required=several,
        help="the record to make, whose path tells what it is of",
    )  # fmt: skip
    keys = () if chosen is None else chosen.keys
    for key in keys:
        parser.add_argument(
            f"--{key.replace('_', '-')}", dest=key, metavar=key.upper(), help=_MEANINGS[key]
        )
    parser.add_argument(
        "--log", type=Path, help="log file (default: where the workflow has it, in logs/)"
    )
    parser.set_defaults(keys=keys)
    return parser


def _told_by_record(
    names: Sequence[str], record: Path | None
) -> tuple[type[Stage[Any]], dict[str, str]] | None:
    """The stage that makes a record, and what that is of; None where no record is asked for.

    Raises:
        UserError: None of the stages makes it.
    """
    if record is None:
        return None
    found = parse(record)
    likely = methods.method_of(found.method).maker if found and found.method else ""
    for name in sorted(names, key=lambda name: name != likely):
        values = stage_class(name).record_pattern().parse(record)
        if values is not None:
            return stage_class(name), values
    raise UserError(f"--record: {record} is no record that this makes ({', '.join(names)})")


def _told_by_options(plan: Plan, options: argparse.Namespace) -> dict[str, str]:
    """What the job is of, after checking it against the config.

    Raises:
        UserError: The config does not know it.
    """
    config = plan.config
    hardware = planned_hardware(config)
    known = {
        "model": list(config.models),
        "target": list(config.models),
        "source": [*config.models, *config.donors, POOL],
        "hardware": hardware,
        "log_kind": list(methods.source_kinds()),
        "own_log": [one.folder for one in methods.own()],
        "moved": [one.folder for one in methods.moved()],
    }
    values = {key: getattr(options, key) for key in options.keys}
    if values.get("hardware", "") is None:
        if len(hardware) != 1:
            raise UserError(f"--hardware: which one? The config has {', '.join(hardware)}")
        values["hardware"] = hardware[0]
    for key, value in values.items():
        if value is None:
            raise UserError(f"--{key.replace('_', '-')} is missing: {_MEANINGS[key]}")
        if key in known and value not in known[key]:
            raise UserError(
                f"--{key.replace('_', '-')}: there is no '{value}', but {', '.join(known[key])}"
                f"{did_you_mean(value, known[key])}"
            )
    if "trials" in values and not (values["trials"].isdecimal() and int(values["trials"])):
        raise UserError(f"--trials: {values['trials']} is no number of trials")
    return values
