"""Keep what a finished run has shown in another folder: a page, its tables, and its best schedules.

What is kept is small enough to go into a repository beside the code that made it. README.md is the
page to read: what each method reaches, with intervals. Logs are kept with their fastest schedules
and all of their trials, compressed, so that schedules can be taken from them again.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rivulet.benchmark.estimates import Sampling
from rivulet.benchmark.table import MethodRow, SampleRow
from rivulet.cli.options import described
from rivulet.config.load import load_config
from rivulet.droplet.study import EffectRow
from rivulet.errors import UserError
from rivulet.log_tools.distil import distil_log
from rivulet.measure.roofline import RoofRow
from rivulet.paths import POOL, parse, split_pair
from rivulet.provenance.record import Record, read_record, records_below
from rivulet.records.curve import read_curve
from rivulet.report.environments import environments
from rivulet.report.reference.earlier import earlier_pairs, read_earlier
from rivulet.report.reference.page import CHART, reference_page
from rivulet.report.reference.run import Run
from rivulet.report.reference.speed_chart import speed_chart
from rivulet.report.reference.stage_times import StageTime, stage_times
from rivulet.report.reference.summary import speed_points
from rivulet.report.reference.table_effects import table_effects
from rivulet.report.templates import embedded_json
from rivulet.tables import read_table, write_table

KEPT = (
    "benchmarks.csv", "*/roofline.csv", "*/droplet_gain.csv", "*/droplet_gain.svg",
    "*/droplet_effect.csv", "*/transfer/ranking.csv", "*/benchmarks/*/*.csv",
    "*/benchmarks/*/kernels/*.csv", "*/benchmarks/*/samples/*.csv", "*/kernels/*.csv",
)  # fmt: skip
EARLIER = Path("docs/earlier_results.csv")
COUNTS = (500, 1000, 2000, 5000, 10000, 20000)
# Of the environment, as the report tells of it.
FACTS = ("CPU", "Threads", "Memory", "Target, as resolved", "TVM", "LLVM", "Packages")
TITLE = "# A reference run"
INTRODUCTION = """What one finished run has shown, made by `rivulet keep` from
its results. [report.html](report.html) has all of it to click through, with every kernel;
[benchmarks.csv](benchmarks.csv) every row; `samples/` every sample; `logs/` and `transfer/` the
schedules. Paths are those of the run, below `results/`."""
RERUN = """## To make it again, and to go on from it

With [config.yaml](config.yaml), the configuration of the run:

```
snakemake --cores 2 --configfile {place}/config.yaml
rivulet keep {place} --configfile {place}/config.yaml
```

The logs are here with the {best} fastest schedules of each kernel, and with all trials, compressed.
To use one, unpack it and name it in a config, as a source of schedules for whatever model is tuned
([transfer.md](../transfer.md)). So one of the pairs is made again from the schedules kept here, on
a machine of another kind too, with a short search of the target's own beside it:

```
cp -r {place}/{hardware}/logs/ansor-{trials} build-on && gunzip -r build-on
cat > again.yaml <<END
models: {{{target}: {target_definition}}}
donors: {{{source}-kept: {{log: build-on/{source}, other_hardware: true}}}}
trials: [200]
END
snakemake --cores 2 results/local/benchmarks/ansor-200/{source}-kept-to-{target}.csv \\
    --configfile again.yaml
```
"""
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)


def without_links(page: str) -> str:
    """The page with no link to schedules, which are not kept."""
    found = DATA.search(page)
    if found is None:
        raise UserError("the report is no page of this workflow's; make it again")
    data = json.loads(found[2])
    data["kernels"]["pages"] = []
    for row in data["kernels"]["rows"]:
        row[-1] = None
    return page[: found.start(2)] + str(embedded_json(data)) + page[found.end(2) :]


def problem_with(place: Path, results: Path) -> str | None:
    """Why a folder must not be replaced; None where it may be."""
    if not place.exists():
        return None
    own, other = place.resolve(), results.resolve()
    if own == other or own in other.parents or other in own.parents:
        return "the results lie there; name another folder"
    readme = place / "README.md"
    if not (readme.exists() and readme.read_text().startswith(TITLE)):
        return "there already, and no reference that this command has made; name another folder"
    return None


def keep(options: argparse.Namespace) -> list[Path]:
    """Copy and distil a run, and write its page; returns the files written."""
    place, results = options.place, options.results
    # Everything is read before the reference that is there already goes.
    records = {p: r for p, r in records_below(results).items() if r.stage == "benchmark"}
    config = config_of(options)
    run = run_of(options, config, records)
    rerun = rerun_of(run, config, options)
    # As it was written: the order of the models is that of their pools, too.
    configuration = options.configfile.read_text()
    shutil.rmtree(place, ignore_errors=True)
    written: list[Path] = []
    for pattern in KEPT:
        for path in sorted(results.glob(pattern)):
            copy = place / path.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            written.append(copy)
    records = results.glob("*/*/*/*/log.json")
    logs = sorted(path.parent for path in records if (one := parse(path)) and one.kind == "log")
    for number, log in enumerate(logs, 1):
        print(f"log {number} of {len(logs)}: {log}", file=sys.stderr, flush=True)
        below = log.relative_to(results)
        written += distil_log(log, place / below, options.best, f"results/{below}")
    page = place / "report.html"
    page.write_text(without_links((results / "report.html").read_text()))
    chart = place / CHART
    chart.write_text(speed_chart("Speed over ONNX Runtime's", speed_points(run)))
    (place / "config.yaml").write_text(configuration)
    stages = place / "stages.csv"
    write_table(StageTime, run.stages, stages)
    readme = place / "README.md"
    readme.write_text(reference_page(TITLE, INTRODUCTION, run, rerun))
    return [*written, page, chart, place / "config.yaml", stages, readme]


def run_of(
    options: argparse.Namespace, config: Mapping[str, Any], records: dict[Path, Record]
) -> Run:
    """What the page tells of: the largest trial count of the first hardware."""
    rows = read_table(MethodRow, options.results / "benchmarks.csv")
    if not rows or not records:
        raise UserError(
            f"{options.results}: no pair in its benchmarks.csv; there is nothing to keep"
        )
    hardware = rows[0].hardware
    trials = max(row.trials for row in rows if row.hardware == hardware)
    rows = [row for row in rows if (row.hardware, row.trials) == (hardware, trials)]
    folder = options.results / hardware
    logs = {
        model: folder / f"logs/ansor-{trials}" / model
        for model in config["models"]
        if any(row.target == model for row in rows)
    }
    chosen = config["benchmark"]
    return Run(
        rows=rows,
        confidence=chosen["confidence"],
        droplet_trials=config["droplet"]["trials"],
        curves={model: read_curve(log / "trials.csv") for model, log in logs.items()},
        counts=[*(n for n in COUNTS if n < trials), trials],
        effects=effects_of(
            rows, folder,
            Sampling(chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"]),
        ),
        earlier=earlier_pairs(read_earlier(options.earlier)) if options.earlier else {},
        stages=stage_times(options.logs or Path("logs")),
        facts=facts_of(rows, records, config, logs, folder=folder),
    )  # fmt: skip


def effects_of(rows: Sequence[MethodRow], folder: Path, sampling: Sampling) -> list[EffectRow]:
    """What droplet search changes: by the study, and by the tables of pairs that it leaves out."""
    trials = rows[0].trials
    samples = {}
    for path in sorted((folder / f"benchmarks/ansor-{trials}/samples").glob("*.csv")):
        source, target = split_pair(path.stem)
        samples[source, target] = read_table(SampleRow, path)
    study = folder / "droplet_effect.csv"
    measured = (
        [e for e in read_table(EffectRow, study) if e.trials == trials] if study.exists() else []
    )
    found = {
        (one.source, one.target, one.comparison): one
        for one in [*table_effects(rows, samples, sampling), *measured]
    }
    return list(found.values())


def rerun_of(run: Run, config: Mapping[str, Any], options: argparse.Namespace) -> str:
    """How to make the run again, and one of its pairs from the schedules that are kept."""
    place = options.place.resolve()
    # As one types it in the checkout; a page names no folder of the machine that made it.
    here = Path.cwd()
    shown = place.relative_to(here) if place.is_relative_to(here) else place.name
    pair = next((row for row in run.rows if row.source != POOL), run.rows[0])
    definition = json.dumps(config["models"][pair.target]).replace('"', "")
    return RERUN.format(
        best=options.best, place=shown, hardware=pair.hardware, trials=pair.trials,
        source=pair.source, target=pair.target, target_definition=definition,
    )  # fmt: skip


def config_of(options: argparse.Namespace) -> dict[str, Any]:
    """The configuration of the run, every key of it, in the order of its file.

    Raises:
        UserError: The file is not that of the run.
    """
    config = load_config(options.configfile)
    shown = read_record(options.results / "report.json").settings["config"]
    if json.loads(config.canonical_json()) != shown:
        raise UserError(
            f"--configfile {options.configfile}: not the configuration that the report shows; name "
            "the one that the run was made with"
        )
    return config.plain


def facts_of(
    rows: list[MethodRow],
    records: dict[Path, Record],
    config: Mapping[str, Any],
    logs: Mapping[str, Path],
    *,
    folder: Path,
) -> dict[str, str]:
    """What the run was made with, in words."""
    (first, *_) = environments(rows, records)
    facts = dict(first["facts"])
    roofs = read_table(RoofRow, folder / "roofline.csv")
    sizes = [sum(path.stat().st_size for path in log.iterdir()) for log in logs.values()]
    days = sorted(record.made["at"][:16] for record in records.values())
    commits = {record.facts["environment"].get("commit") for record in records.values()}
    return {
        "models": ", ".join(logs),
        "trials": f"{rows[0].trials:,} for each model, search seed {config['search']['seed']}",
        **{name: facts[name] for name in FACTS},
        "Peak": ", ".join(f"{row.peak:.0f} {row.unit}" for row in roofs),
        "Size of Ansor's logs": ", ".join(f"{size / 1e6:.0f} MB" for size in sizes),
        "Benchmarked": f"{days[0]} to {days[-1]}",
        "By commit": ", ".join(sorted(filter(None, commits))),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("keep", __doc__)
    parser.add_argument(
        "place", type=Path, nargs="?", default=Path("docs/reference"),
        help="folder to write, replaced if it is there (default: docs/reference)",
    )  # fmt: skip
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="results of the run (default: %(default)s)",
    )
    parser.add_argument(
        "--logs", type=Path,
        help="logs of its jobs, for the wall time of each stage (default: logs, if they are there)",
    )  # fmt: skip
    parser.add_argument(
        "--configfile", type=Path, default=Path("config/config.yaml"),
        help="configuration that the run was made with (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--best", type=int, default=4, metavar="K",
        help="schedules kept of each kernel in a log (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--earlier", type=Path, default=EARLIER if EARLIER.exists() else None, metavar="CSV",
        help="published latencies to stand beside those of the same pairs (default: "
        f"{EARLIER})",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.logs is not None and not options.logs.is_dir():
        parser.error(f"argument --logs: {options.logs} is no folder")
    if options.best < 1:
        parser.error(f"argument --best: {options.best} is not a number from 1 on")
    if not (options.results / "report.html").exists():
        raise UserError(f"{options.results}: no report.html in it; finish the run first")
    if problem := problem_with(options.place, options.results):
        raise UserError(f"{options.place}: {problem}")
    written = keep(options)
    size = sum(path.stat().st_size for path in written)
    print(f"{options.place}: {len(written)} files, {size / 1e6:.2f} MB")
    return 0
