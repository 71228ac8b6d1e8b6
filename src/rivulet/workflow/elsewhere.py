"""Hardware whose results are made on another machine and were copied here."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from rivulet.config.model import Config
from rivulet.errors import UserError
from rivulet.paths import HARDWARE, RECORD, TRIALS
from rivulet.provenance.record import Record, read_record
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.plan import Plan, Planned
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import settings_of

_SHOWN = 3
_MACHINES_OWN = ("device", "fingerprint", "tvm")


def elsewhere_hardware(config: Config) -> list[str]:
    """The hardware whose results are made elsewhere."""
    planned = planned_hardware(config)
    return [name for name in config.hardware if name not in planned]


def check_elsewhere(config: Config) -> None:
    """Check that the results made elsewhere are all here.

    Raises:
        UserError: Some are not, with one line per machine.
    """
    lines = []
    for hardware in elsewhere_hardware(config):
        files = needed_files(config, hardware)
        missing = [path for path in files if not Path(path).exists()]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            lines.append(
                f"hardware.{hardware}.at: elsewhere, but {len(missing)} of its {len(files)} files "
                f"are not here ({', '.join(missing[:_SHOWN])}{more}); run the same config on the "
                f"machine of '{hardware}', with '{hardware}' at: here, and copy its "
                f"results/{hardware} here ('rivulet merge')"
            )
    if lines:
        raise UserError("\n".join(lines))


def needed_files(config: Config, hardware: str) -> list[str]:
    """The files of a hardware's results that the collected table and the report are made of."""
    files = report_files(config)
    recorded = [*files.rankings, *files.rooflines, *files.gains, *files.effects]
    records = [f"{path.removesuffix('.csv')}.json" for path in recorded]
    root = HARDWARE.at(hardware=hardware) / ""
    every = [*files.all(), *files.pair_records, *records]
    return [path for path in dict.fromkeys(every) if path.startswith(root)]


def notes_on_elsewhere(config: Config) -> list[str]:
    """What differs between the settings of results made elsewhere and the configuration."""
    notes = []
    for hardware in elsewhere_hardware(config):
        changed: Counter[str] = Counter()
        plan = Plan(config, "", {hardware: Planned("", "")})  # this machine has no say
        for path in needed_files(config, hardware):
            record = _record_beside(Path(path))
            if record is not None:
                changed.update(_differing(plan, record, hardware))
        if changed:
            keys = ", ".join(sorted(changed))
            notes.append(
                f"note: results/{hardware}: made with other settings than this config's ({keys}); "
                "they are shown as they are"
            )
    return notes


def _differing(plan: Plan, record: Record, hardware: str) -> list[str]:
    """Settings of a record that the configuration has otherwise; the machine's own apart."""
    wanted: dict[str, Any] | None = settings_of(plan, record, hardware)
    if wanted is None:
        return []
    wanted = json.loads(json.dumps(wanted))
    compared = [key for key in wanted if key in record.settings and key not in _MACHINES_OWN]
    return [key for key in compared if record.settings[key] != wanted[key]]


def _record_beside(path: Path) -> Record | None:
    """The record that is at a path, or of the log that a file of trials belongs to."""
    if path.name == TRIALS:
        path = path.with_name(RECORD)
    if path.suffix != ".json" or not path.exists():
        return None
    try:
        return read_record(path)
    except UserError:
        return None
