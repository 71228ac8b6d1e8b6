"""Watch a workflow that runs, or see how far one came that was interrupted.

Reads Snakemake's log and the jobs' logs; writes nothing, and takes next to no time from whatever is
being measured. Works from another terminal, over SSH, and on any machine that sees the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rivulet.cli.options import described
from rivulet.jobs.progress import duration
from rivulet.workflow.standing import RunningJob, Standing, read_standing

BAR = 30
MOST_FAILURES = 5
WIDE = 160  # where nobody says how wide the place is
CLEAR = "\033[H\033[2J"


def lines_of(standing: Standing, folder: Path, now: datetime, width: int) -> list[str]:
    """What the terminal shows."""
    if standing.started is None:
        return [f"{folder}: no workflow has run here yet; start one with: snakemake --cores 2"]
    ended = now if standing.running else standing.ended or now
    spent = max(0.0, (ended - standing.started).total_seconds())
    state = "running" if standing.running else "not running"
    if not standing.running:
        whole = standing.total and standing.done >= standing.total
        state = "finished" if whole else f"interrupted, last heard of {ended:%Y-%m-%d %H:%M:%S}"
        state = "failed" if standing.failures and not whole else state
    took = f"{duration(spent)} ago" if standing.running else f"ran {duration(spent)}"
    lines = [f"{folder}: {state}; started {standing.started:%Y-%m-%d %H:%M:%S}, {took}"]
    share = standing.done / standing.total if standing.total else 0.0
    filled = round(share * BAR)
    lines.append(
        f"[{'#' * filled}{'.' * (BAR - filled)}] {standing.done} of {standing.total} jobs"
        f" ({share:.0%}), {standing.total - standing.done} left"
        + (
            f", about {duration(spent / share - spent)} at this pace"
            if standing.running and 0 < share < 1
            else ""
        )
    )
    lines += ["", *rule_lines(standing.rules, width)]
    if standing.jobs or standing.running:
        lines += ["", "now" if standing.running else "begun and not ended"]
        lines += [f"  {job_line(job)}" for job in standing.jobs] or ["  nothing"]
    if standing.failures:
        lines += ["", f"failed ({len(standing.failures)})"]
    for one in standing.failures[-MOST_FAILURES:]:
        lines.append(f"  {one.rule}: {one.reason or 'no reason in its log'}")
        lines.append(f"    log: {one.log or 'none'}")
    return lines


def rule_lines(rules: Mapping[str, tuple[int, int]], width: int) -> list[str]:
    """Each rule with its jobs done and in all, in as many columns as fit."""
    texts = [f"{rule} {done}/{total}" for rule, (done, total) in rules.items()]
    if not texts:
        return []
    size = max(map(len, texts)) + 3
    columns = max(1, (width - 2) // size)
    rows = [texts[start : start + columns] for start in range(0, len(texts), columns)]
    return ["  " + "".join(f"{text:<{size}}" for text in row).rstrip() for row in rows]


def job_line(job: RunningJob) -> str:
    """A job in one line."""
    if not job.line:
        return f"{job.output}: begun"
    rate = f" | {job.rate:.3g} {job.unit}/s" if job.rate else ""
    return f"{job.line}{rate}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("watch", __doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path.cwd(), help="the checkout (default: this one)"
    )
    parser.add_argument("--once", action="store_true", help="print it once and end")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between looks (5)"
    )
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder}: no such folder")
    if options.every < 1:
        parser.error(
            f"--every {options.every:g}: at least 1, lest looking disturbs what is measured"
        )
    os.nice(19)  # whatever measures goes first
    try:
        while True:
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
            standing = read_standing(options.folder)
            lines = lines_of(standing, options.folder, datetime.now(), width)
            if options.once or not sys.stdout.isatty():
                with contextlib.suppress(BrokenPipeError):  # such as: rivulet watch --once | head
                    print("\n".join(lines), flush=True)
                return 0
            print(CLEAR + "\n".join(line[:width] for line in lines), flush=True)
            time.sleep(options.every)
    except KeyboardInterrupt:
        print()
        return 0
