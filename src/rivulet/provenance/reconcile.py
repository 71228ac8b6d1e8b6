"""Find out what Snakemake cannot know about artefacts that it did not make itself, and tell it.

Snakemake decides by its own metadata and, where it has none, by modification times alone. Both
are lost when results are copied: a copy has new times in an arbitrary order, and no metadata.
Every artefact carries its record, so the truth is at hand: where the record agrees with the
configuration and with its inputs, the times are put in order; where it does not, and Snakemake
has no metadata to find that out, the artefact is dated back so that it is made again.

`survey` only looks, so that a plan may ask; `Findings.apply` changes times and removes records.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivulet.provenance.record import Record, digest_of, records_below

_LONG_AGO = 1_000_000_000 * 10**9  # 2001: older than anything the workflow makes


@dataclass
class Findings:
    """What a survey saw.

    Attributes:
        dated_back: Path of each stale artefact that Snakemake takes for a fresh one unless it is
            dated back, to the reason.
        incomplete: Path of each record to be removed, to the file that it speaks for in vain.
        other_code: Stages of artefacts made by other code that is trusted all the same, with
            the number of artefacts.
        times: File to the modification time that it should have, in ns since 1970; only files
            that have another one.
        unsettled: Records of the artefacts that `apply` would change something of.
    """

    dated_back: dict[str, str] = field(default_factory=dict)
    incomplete: dict[str, str] = field(default_factory=dict)
    other_code: Counter[str] = field(default_factory=Counter)
    times: dict[Path, int] = field(default_factory=dict)
    unsettled: set[Path] = field(default_factory=set)

    def apply(self) -> None:
        """Put the times in order and remove the records that speak for missing files."""
        for path in self.incomplete:
            Path(path).unlink(missing_ok=True)
        for file, time in self.times.items():
            os.utime(file, ns=(time, time))

    def lines(self) -> list[str]:
        """What is made again once the findings are applied."""
        notes = [
            f"note: {path}: {why}; it will be made again" for path, why in self.dated_back.items()
        ]
        return notes + [
            f"note: {missing} is missing; what {path} tells of is made again where it is needed"
            for path, missing in self.incomplete.items()
        ]

    def notes_on_code(self) -> list[str]:
        """What is kept although the code that made it is another now."""
        return [
            f"note: the code of '{stage}' has changed since {count} of its artefacts were made; "
            "they are kept, because measurements are expensive and their format is the same (see "
            "docs/running.md, 'What is rerun')"
            for stage, count in sorted(self.other_code.items())
        ]

    def time_of(self, path: Path) -> int | None:
        """A file's time in ns once the findings are applied; None without the file."""
        if str(path) in self.incomplete or not path.exists():
            return None
        return self.times.get(path, path.stat().st_mtime_ns)

    def _date(self, record: Path, files: list[Path], time: int) -> None:
        changed = [file for file in files if self.time_of(file) not in (None, time)]
        self.times |= dict.fromkeys(changed, time)
        if changed:
            self.unsettled.add(record)


def survey(
    results: Path,
    expected: Callable[[Record], dict[str, Any] | None],
    code: dict[str, str],
    known: Callable[[Path], bool],
    *,
    foreign: Sequence[Path] = (),
) -> Findings:
    """Compare the artefacts below ``results`` with their records; nothing is changed.

    Args:
        results: Folder of all results.
        expected: Settings that the configuration asks for now for what a record describes; None
            for artefacts that the configuration does not name.
        code: Stage to the digest of the code that makes its artefacts now, for the stages whose
            artefacts are kept when it changes.
        known: Whether Snakemake has metadata of a file.
        foreign: Folders of results that were copied here; a newer copy may be older than what
            was made of the last one, which Snakemake would not see.
    """
    findings = Findings()
    records = records_below(results)
    for path, record in _in_order(records):
        wanted = expected(record)
        if wanted is None:
            continue
        files = [Path(p) for p in record.outputs] + [path]
        missing = next((file for file in files if not file.exists()), None)
        if missing is not None:
            # Jobs ask for the record, which stands for all that was made with it.
            findings.incomplete[str(path)] = str(missing)
            findings.unsettled.add(path)
            continue
        reason = staleness(record, wanted, gone=findings.incomplete)
        if reason is None:
            _order_times(findings, path, files, _input_files(record, records))
            made_by = record.facts.get("code")
            if record.stage in code and made_by not in (None, code[record.stage]):
                findings.other_code[record.stage] += 1
        elif _reads(record, foreign) or not any(map(known, files)):
            findings.dated_back[str(path)] = reason
            findings._date(path, files, _LONG_AGO)
    return findings


def _in_order(records: dict[Path, Record]) -> list[tuple[Path, Record]]:
    """Inputs before what is made of them."""
    placed: dict[Path, Record] = {}

    def place(path: Path, trail: tuple[Path, ...]) -> None:
        if path in placed or path not in records or path in trail:
            return
        for name in records[path].inputs:
            place(Path(name), (*trail, path))
        placed[path] = records[path]

    for path in records:
        place(path, ())
    return list(placed.items())


def staleness(record: Record, wanted: dict[str, Any], gone: Collection[str] = ()) -> str | None:
    """Why an artefact is stale; None when it is not.

    Args:
        record: Its record.
        wanted: Settings that the configuration asks for now.
        gone: Inputs that count as missing although they are there.
    """
    wanted = json.loads(json.dumps(wanted))
    changed = sorted(
        k for k in {*record.settings, *wanted} if record.settings.get(k) != wanted.get(k)
    )
    if changed:
        return f"made with other settings ({', '.join(changed)})"
    for name, digest in record.inputs.items():
        # An input that is gone leaves the artefact as good as it was; Snakemake remakes the
        # input if something still needs it.
        if name not in gone and Path(name).exists() and digest_of(Path(name)) != digest:
            return f"made from another version of {name}"
    return None


def _input_files(record: Record, records: dict[Path, Record]) -> list[Path]:
    """The inputs, and where an input is a record, the files that it speaks for."""
    paths = [Path(p) for p in record.inputs]
    spoken_for = [Path(o) for p in paths if p in records for o in records[p].outputs]
    return paths + spoken_for


def _reads(record: Record, folders: Sequence[Path]) -> bool:
    return any(Path(name).is_relative_to(one) for name in record.inputs for one in folders)


def _order_times(findings: Findings, record: Path, files: list[Path], inputs: list[Path]) -> None:
    """Date the files no older than their inputs."""
    times = [time for p in inputs if (time := findings.time_of(p)) is not None]
    own = [time for p in files if (time := findings.time_of(p)) is not None]
    if times and own and min(own) < max(times):
        findings._date(record, files, max(times))
