"""How a workflow stands, read from the files that it writes anyway.

Snakemake's own log tells which jobs are done and which have failed, its marks of unfinished outputs
which ones run, and each job's log how far that one is. These are there however the workflow was
started; events of a logger plugin would be only where its profile asks for the plugin.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rivulet.paths import text_log_of
from rivulet.workflow.locks import is_running
from rivulet.workflow.snakemake_compat import unfinished_outputs

_TAIL_BYTES = 16384
_STATS = re.compile(r"^(\w+) +(\d+)$")
_DONE = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)")
_STEPS = re.compile(r"^(\d+) of (\d+) steps")
_FAILED = re.compile(r"^Error in rule (\w+):")
_FAILED_LOG = re.compile(r"^    log: (\S+)")
_STARTED = re.compile(r"(\d{4}-\d\d-\d\dT\d{6})")
_LOG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ (\w+) (.*)$")
_PROGRESS = re.compile(r"\s(\d+)/(\d+) (\w+)")
_ENDED = re.compile(r": (done in [\d:]+|stopped by \w+.*)$")


@dataclass(frozen=True)
class RunningJob:
    """A job that has begun and not ended.

    Attributes:
        output: One of the files that it makes.
        log: Its log; None where none is found.
        line: Last thing that it said of its progress; empty before the first.
        rate: Units of its work per second, lately; None where that is not known.
        unit: What these are, such as ``trials``.
    """

    output: str
    log: Path | None
    line: str = ""
    rate: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Failure:
    """A job that has failed.

    Attributes:
        rule: Its rule.
        log: Path of its log, as Snakemake names it; empty without one.
        reason: The last line of that log that says what is wrong.
    """

    rule: str
    log: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """How a workflow stands.

    Attributes:
        running: Whether it runs now.
        started: When it began; None where nothing was ever run.
        ended: When something was last heard of it.
        done: Jobs done.
        total: Jobs in all.
        rules: Rule to its jobs done and in all, in the order of Snakemake's table.
        jobs: Jobs that have begun and not ended.
        failures: Jobs that have failed, the last ones last.
    """

    running: bool
    started: datetime | None = None
    ended: datetime | None = None
    done: int = 0
    total: int = 0
    rules: dict[str, tuple[int, int]] = field(default_factory=dict)
    jobs: list[RunningJob] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def read_standing(folder: Path) -> Standing:
    """How the workflow in a folder stands; nothing is written, and only small files are read.

    Args:
        folder: The checkout.
    """
    own = folder / ".snakemake"
    running = is_running(own)
    log, lines = _last_run(own / "log")
    if log is None:
        return Standing(running)
    totals = _totals(lines)
    finished = Counter(found[1] for line in lines if (found := _DONE.match(line)))
    steps = [found for line in lines if (found := _STEPS.match(line))]
    done = int(steps[-1][1]) if steps else 0
    return Standing(
        running=running,
        started=_started(log),
        ended=datetime.fromtimestamp(log.stat().st_mtime),
        done=done,
        total=int(steps[-1][2]) if steps else sum(totals.values()),
        rules={rule: (finished[rule], count) for rule, count in totals.items()},
        jobs=_jobs(folder, unfinished_outputs(own)),
        failures=_failures(folder, lines),
    )


def _last_run(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest log of a call that ran jobs; dry runs, lints and reports write logs too."""
    for log in sorted(folder.glob("*.snakemake.log"), reverse=True):
        lines = log.read_text(errors="replace").splitlines()
        if "Job stats:" in lines and any(line.startswith("Execute ") for line in lines):
            return log, lines
    return None, []


def _totals(lines: list[str]) -> dict[str, int]:
    """Rule to its number of jobs, from the table at the beginning."""
    found = {}
    with contextlib.suppress(ValueError):
        for line in lines[lines.index("Job stats:") + 1 :]:
            if not line:
                break
            if (entry := _STATS.match(line)) and entry[1] not in ("total", "all"):
                found[entry[1]] = int(entry[2])
    return found


def _started(log: Path) -> datetime | None:
    found = _STARTED.search(log.name)
    return datetime.strptime(found[1], "%Y-%m-%dT%H%M%S") if found else None


def _jobs(folder: Path, outputs: list[str]) -> list[RunningJob]:
    jobs: dict[Path | str, RunningJob] = {}
    for output in outputs:
        log = _log_of(folder, output)
        jobs.setdefault(log or str(Path(output).with_suffix("")), _job(output, log))
    return list(jobs.values())


def _log_of(folder: Path, output: str) -> Path | None:
    """The text log of the job that makes an output, where it has begun one."""
    log = text_log_of(output)
    return folder / log if log is not None and (folder / log).is_file() else None


def _job(output: str, log: Path | None) -> RunningJob:
    if log is None:
        return RunningJob(output, None)
    told = [found for line in tail(log) if (found := _LOG_LINE.match(line))]
    if told and _ENDED.search(told[-1][3]):
        return RunningJob(output, log)  # the last run's words; this one has said nothing yet
    progress = [(line, found) for line in told if (found := _PROGRESS.search(line[3]))]
    text = progress[-1][0][3] if progress else told[-1][3] if told else ""
    rate, unit = None, ""
    if len(progress) > 1:
        (first, before), (last, after) = progress[max(0, len(progress) - 6)], progress[-1]
        seconds = (_moment(last[1]) - _moment(first[1])).total_seconds()
        gained = int(after[1]) - int(before[1])
        unit = after[3]
        if seconds > 0 and gained >= 0:
            rate = gained / seconds
    return RunningJob(output, log, re.sub(r"\s{2,}", "  ", text), rate, unit)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def _failures(folder: Path, lines: list[str]) -> list[Failure]:
    failures: dict[tuple[str, str], Failure] = {}
    for number, line in enumerate(lines):
        if not (found := _FAILED.match(line)):
            continue
        logs = (_FAILED_LOG.match(one) for one in lines[number + 1 : number + 12])
        log = next((one[1] for one in logs if one), "")
        reason = _reason(tail(folder / log)) if log and (folder / log).exists() else ""
        failures[(found[1], log)] = Failure(found[1], log, reason)
    return list(failures.values())


def _reason(lines: Iterable[str]) -> str:
    """The last error in a job's log: its first line, or the last one of a traceback."""
    found, inside = "", False
    for line in lines:
        entry = _LOG_LINE.match(line)
        if entry:
            inside = entry[2] == "ERROR"
            if inside:
                found = entry[3]
        elif inside and line and not line.startswith(" "):
            found = line
    return found


def tail(path: Path) -> list[str]:
    """The last lines of a file that may be large."""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        return stream.read().decode(errors="replace").splitlines()
