"""The best schedules of all logs or of one: of a model's kernels, or of one kernel."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.kernels.naming import full_name, short_name
from rivulet.methods import method_of
from rivulet.paths import parse
from rivulet.records.stored import StoredLog, find_kernel_table, read_log


@dataclass(frozen=True)
class Place:
    """A log below the results.

    Attributes:
        folder: Its folder.
        hardware: Where it was measured.
        model: The model whose kernels it is of.
        method: How it was made, such as ``droplet-640`` or ``transfer ansor-640 from resnet18``.
    """

    folder: Path
    hardware: str
    model: str
    method: str


@dataclass(frozen=True)
class Best:
    """The best schedule of a kernel in any log.

    Attributes:
        kernel: Task name.
        latency_us: Latency in microseconds, as the log has it.
        method: How the log was made.
        log: Its folder.
    """

    kernel: str
    latency_us: float
    method: str
    log: str


def add_best(commands: Any) -> None:
    """Add the command to those of the command line."""
    best = commands.add_parser(
        "best", help="the best schedules of a model, or of a kernel",
        description="Show the best schedules that all logs below a results folder have, or that "
        "one log has: for a model a table of its kernels, for a kernel its schedule as TVMScript "
        "and as a trace.",
        epilog="Latencies are those of the logs, and each log's best is the luckiest of many; "
        "what was measured side by side stands in the benchmark tables.",
    )  # fmt: skip
    best.add_argument("name", metavar="MODEL-OR-KERNEL", help="name of a model or of a kernel")
    best.add_argument("--log", type=Path, help="look for the kernel in this log alone")
    best.add_argument("--kernels", type=Path, metavar="CSV",
                      help="with --log: table of the model's kernels, for their names; found "
                      "through log.json by default")  # fmt: skip
    best.add_argument("--model", help="model of the kernel, where several have one of that name")
    best.add_argument("--hardware", help="hardware, where there are several")
    best.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER",
                      help="folder of the results (default: %(default)s)")  # fmt: skip
    best.add_argument("--json", action="store_true", help="print JSON instead of text")
    best.set_defaults(work=_show)


def find_logs(results: Path) -> list[Place]:
    """All finished logs below a results folder.

    Raises:
        UserError: There is none.
    """
    places = []
    for record in sorted(results.glob("*/*/*/*/log.json")):
        found = parse(record)
        if found is None or found.kind != "log":
            continue
        folder = method_of(found.method).folder
        made = f"{folder}-{found.trials}"
        if found.source:
            made = f"{folder} {found.log_kind}-{found.trials} from {found.source}"
        places.append(Place(record.parent, found.hardware, found.model, made))
    if not places:
        raise UserError(
            f"{results}: no finished log below it; name the folder with --results, or make one: "
            "snakemake --cores 2"
        )
    return places


def best_of(places: Sequence[Place]) -> dict[str, Best]:
    """Each kernel's best schedule in some logs of one model, by task name."""
    found: dict[str, Best] = {}
    for place in places:
        for kernel, seconds in _kernels(read_log(place.folder)).items():
            if kernel not in found or seconds * 1e6 < found[kernel].latency_us:
                latency = round(seconds * 1e6, 4)
                found[kernel] = Best(kernel, latency, place.method, str(place.folder))
    return found


def _kernels(log: StoredLog) -> dict[str, float]:
    """Seconds of the best schedule of each kernel."""
    from rivulet.records.best import best_by_kernel

    table = find_kernel_table(log)
    if table is None:
        return {}
    return {best.kernel: best.stored.seconds for best in best_by_kernel(log, table)}


def _show(options: argparse.Namespace) -> int:
    if options.log is not None:
        _print_kernel(options, options.log, options.name, {})
    else:
        _show_of_all(options)
    return 0


def _show_of_all(options: argparse.Namespace) -> None:
    places = _chosen(find_logs(options.results), "hardware", options.hardware, "--hardware")
    models = sorted({place.model for place in places})
    if options.name in models and not options.model:
        own = [place for place in places if place.model == options.name]
        _print_model(options, best_of(own))
        return
    if options.model:
        places = _chosen(places, "model", options.model, "--model")
    known = {
        model: best_of([place for place in places if place.model == model])
        for model in sorted({place.model for place in places})
    }
    meant = {model: full_name(options.name, kernels) for model, kernels in known.items()}
    having = [model for model, name in meant.items() if name is not None]
    if not having:
        names = [*models, *(kernel for kernels in known.values() for kernel in kernels)]
        near = difflib.get_close_matches(options.name, names, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UserError(
            f"'{options.name}' is neither a model with a log ({', '.join(models)}) nor a kernel "
            f"of one{hint}"
        )
    if len(having) > 1:
        raise UserError(
            f"'{options.name}' is a kernel of several models ({', '.join(having)}); choose one "
            "with --model"
        )
    best = known[having[0]][meant[having[0]] or options.name]
    _print_kernel(options, Path(best.log), best.kernel, asdict(best))


def _chosen(places: list[Place], what: str, wanted: str | None, option: str) -> list[Place]:
    names = sorted({str(getattr(place, what)) for place in places})
    if wanted is None:
        if len(names) > 1:
            raise UserError(f"there are logs of several: {', '.join(names)}; choose with {option}")
        return places
    if wanted not in names:
        raise UserError(f"{option} {wanted}: no log of it; there are logs of {', '.join(names)}")
    return [place for place in places if getattr(place, what) == wanted]


def _print_model(options: argparse.Namespace, kernels: dict[str, Best]) -> None:
    if not kernels:
        raise UserError(
            f"the logs of {options.name} have no valid schedule, or no table of kernels"
        )
    rows = sorted(kernels.values(), key=lambda one: (-one.latency_us, one.kernel))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    width = max(len(short_name(row.kernel)) for row in rows)
    print(f"{'kernel':<{width}}  {'us':>12}  from")
    for row in rows:
        print(f"{short_name(row.kernel):<{width}}  {row.latency_us:>12.3f}  {row.method}")


def _print_kernel(
    options: argparse.Namespace, log: Path, kernel: str, found: dict[str, Any]
) -> None:
    from rivulet.log_tools.detail import detail_lines, kernel_detail

    detail = kernel_detail(read_log(log), kernel, options.kernels)
    if options.json:
        print(json.dumps({**found, **asdict(detail)}, indent=1))
        return
    if found:
        print(f"from {found['method']} ({found['log']})")
    print("\n".join(detail_lines(detail)))
