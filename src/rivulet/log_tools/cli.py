"""The command line for logs: show, best, merge, prune, check, validate, export."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.jobs.progress import Progress
from rivulet.kernels.naming import short_name
from rivulet.log_tools.best import add_best
from rivulet.log_tools.merge import merge_logs, prune_log
from rivulet.log_tools.overview import overview, overview_data, overview_lines
from rivulet.records.files import FILES
from rivulet.records.loading import find_unloadable
from rivulet.records.scan import mark_unloadable
from rivulet.records.stored import StoredLog, read_log

DAMAGED = 1
MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.work(options)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"logs {options.command}: {error}", file=sys.stderr)
        return MISTAKE
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # such as: rivulet logs show LOG | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"logs {options.command}: {error.filename}: {error.strerror}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(f"logs {options.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rivulet logs",
        description="Work with tuning logs. A log is a folder with "
        f"{', '.join(FILES)}, as searches, droplets and transfers write it.",
        epilog="No command writes into a log: what is written is a new one.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_show(commands)
    add_best(commands)
    _add_merge_and_prune(commands)
    _add_check(commands)
    _add_validate(commands)
    _add_export(commands)
    return parser


def _add_show(commands: Any) -> None:
    show = commands.add_parser(
        "show", help="what a log holds", description="Print a table of a log's kernels."
    )
    show.add_argument("log", type=Path, metavar="LOG", help="folder of the log")
    show.add_argument("--json", action="store_true", help="print JSON instead of text")
    show.add_argument(
        "--kernels", type=Path, metavar="CSV",
        help="table of the model's kernels, for GFLOP/s; found through log.json by default",
    )  # fmt: skip
    show.set_defaults(work=_show)


def _add_merge_and_prune(commands: Any) -> None:
    merge = commands.add_parser(
        "merge", help="one log of several",
        description="Write one log that holds what several do. What they share is taken from the "
        "first that has it. Logs of different devices, targets or TVM versions are refused.",
    )  # fmt: skip
    merge.add_argument("out", type=Path, metavar="OUT", help="folder to write; not there yet")
    merge.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="folders of the logs")
    merge.set_defaults(work=_merge)

    prune = commands.add_parser(
        "prune", help="a log's best schedules",
        description="Write a log with the fastest schedules of each workload.",
    )  # fmt: skip
    prune.add_argument("out", type=Path, metavar="OUT", help="folder to write; not there yet")
    prune.add_argument("log", type=Path, metavar="LOG", help="folder of the log")
    prune.add_argument(
        "--best", type=_positive, required=True, metavar="K", help="schedules kept per workload"
    )
    prune.add_argument(
        "--without-trials", action="store_true", help="leave trials.csv empty; kept by default"
    )
    prune.set_defaults(work=_prune)


def _add_check(commands: Any) -> None:
    check = commands.add_parser(
        "check", help="find damaged lines",
        description="List the damaged lines of a log; exit status 1 when there are any.",
    )  # fmt: skip
    check.add_argument("log", type=Path, metavar="LOG", help="folder of the log")
    check.add_argument(
        "--repair", type=Path, metavar="OUT",
        help="write the rest as a new log to this folder, which is not there yet",
    )  # fmt: skip
    check.add_argument(
        "--quick", action="store_true", help="look at the text only, without letting TVM load it"
    )
    check.set_defaults(work=_check)


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export", help="measurements for other tools",
        description="Write all measurements of some logs in the T4 results format, which Kernel "
        "Tuner and other autotuners' tools read.",
    )  # fmt: skip
    export.add_argument("out", type=Path, metavar="OUT", help="JSON file to write")
    export.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="folders of the logs")
    export.add_argument(
        "--without-decisions", action="store_true",
        help="leave the schedules' decisions out of the configurations, which is much faster",
    )  # fmt: skip
    export.set_defaults(work=_export)


def _add_validate(commands: Any) -> None:
    validate = commands.add_parser(
        "validate", help="run schedules and compare their outputs",
        description="Build and run a sample of a log's schedules on random inputs and compare "
        "their outputs with the unscheduled kernels'; exit status 1 when one is wrong. The best "
        "schedule of each workload comes first in the sample.",
    )  # fmt: skip
    validate.add_argument("log", type=Path, metavar="LOG", help="folder of the log")
    validate.add_argument("--samples", type=_positive, default=20, metavar="N",
                          help="schedules to run (default: %(default)s)")  # fmt: skip
    validate.add_argument("--threads", type=_positive, metavar="N",
                          help="threads to run on (default: those of the log)")  # fmt: skip
    validate.add_argument("--tolerance", type=float, default=1e-3, metavar="X",
                          help="largest difference to accept, relative to the output's largest "
                          "magnitude (default: %(default)s)")  # fmt: skip
    validate.add_argument("--seed", type=int, default=1, metavar="N",
                          help="seed of sample and inputs (default: %(default)s)")  # fmt: skip
    validate.add_argument(
        "--kernels", type=Path, metavar="CSV",
        help="table of the model's kernels, for their names; found through log.json by default",
    )  # fmt: skip
    validate.set_defaults(work=_validate)


def _show(options: argparse.Namespace) -> int:
    summary = overview(_read(options.log), options.kernels)
    if options.json:
        print(json.dumps(overview_data(summary), indent=1))
    else:
        print("\n".join(overview_lines(summary)))
    return 0


def _merge(options: argparse.Namespace) -> int:
    seen: set[Path] = set()
    for folder in options.logs:
        if folder.resolve() in seen:
            raise UserError(f"{folder}: named twice; name each log once")
        seen.add(folder.resolve())
    merge_logs(options.out, [_read(folder) for folder in options.logs], _say)
    return 0


def _prune(options: argparse.Namespace) -> int:
    prune_log(options.out, _read(options.log), options.best, not options.without_trials, say=_say)
    return 0


def _check(options: argparse.Namespace) -> int:
    progress: dict[int, Progress] = {}

    def report(done: int, total: int) -> None:
        label = f"check {options.log.name}"
        progress.setdefault(total, Progress(_say, label, total, "records")).update(done)

    log = read_log(options.log)
    if not options.quick:
        mark_unloadable(log.database, *find_unloadable(log.database, report))
    damage = log.damage()
    if not damage:
        print(f"{options.log}: sound; {len(log.records)} schedules, {len(log.trials)} trials")
        return 0
    print("\n".join(damage))
    print(f"{options.log}: {len(damage)} damaged line(s)")
    if options.repair is None:
        _say("nothing was changed; 'check --repair OUT' writes a new log without these lines")
        return DAMAGED
    prune_log(options.repair, log, best=len(log.records), say=print)
    return DAMAGED


def _export(options: argparse.Namespace) -> int:
    from rivulet.log_tools.t4 import t4_results
    from rivulet.provenance.record import write_atomically

    logs = [_read(folder) for folder in options.logs]
    label = f"export {options.out.name}"
    progress = Progress(_say, label, sum(len(log.records) for log in logs), "schedules")
    looked = 0

    def report() -> None:
        nonlocal looked
        looked += 1
        progress.update(looked)

    document = t4_results(logs, not options.without_decisions, report)
    write_atomically(options.out, json.dumps(document, indent=1) + "\n")
    print(f"{options.out}: {len(document['results'])} measurements of {len(logs)} log(s)")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from rivulet.hardware.lock import device_lock
    from rivulet.jobs.scratch import scratch_folder
    from rivulet.log_tools.validate import Validated, sample_records, validate_records

    log = _read(options.log)
    records = sample_records(log, options.samples, options.seed)
    if not records:
        raise UserError(f"{options.log}: there is no schedule in it to run")
    done = 0

    def report(one: Validated) -> None:
        nonlocal done
        done += 1
        error = "" if one.error is None else f"max rel error {one.error:.1e}"
        text = f"{one.problem or 'ok'} {error}".strip()
        print(
            f"{done:>4}/{len(records)}  {short_name(one.kernel)} (line {one.record}): {text}",
            flush=True,
        )

    def on_wait(holder: str) -> None:
        _say(f"waiting for the device 'cpu', in use by {holder}")

    # Not beside a measurement, which it would disturb, but beside others that measure nothing.
    with scratch_folder() as scratch, device_lock("cpu", "logs validate", on_wait, shared=True):
        results = validate_records(
            log, records, options.threads, options.tolerance, seed=options.seed, scratch=scratch,
            report=report, table=options.kernels,
        )  # fmt: skip
    wrong = sum(bool(one.problem) for one in results)
    print(f"{options.log}: {len(results) - wrong} of {len(results)} schedules are right")
    return DAMAGED if wrong else 0


def _read(folder: Path) -> StoredLog:
    log = read_log(folder)
    if log.damaged():
        _say(
            f"{folder}: {log.damaged()} damaged line(s) are left out here; "
            f"'check {folder}' lists them"
        )
    return log


def _say(text: str) -> None:
    """Progress and remarks go to standard error: standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return value
