#!/usr/bin/env python3
"""Keep what a finished run has shown in another folder: a page, its tables, and its best schedules.

What is kept is small enough to go into a repository beside the code that made it. README.md is the
page to read: what each method reaches, with intervals. Logs are kept with their fastest schedules
and all of their trials, compressed, so that schedules can be taken from them again.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.table import read_rows
from rivulet.config.load import load_config
from rivulet.droplet.study import EffectRow
from rivulet.errors import UserError
from rivulet.provenance.record import read_record, records_below
from rivulet.records.curve import read_curve
from rivulet.records.distil import distil_log
from rivulet.report import reading
from rivulet.report.answers import answers
from rivulet.report.earlier import earlier_pairs, read_earlier
from rivulet.report.inputs import confidence_of
from rivulet.report.reference_page import CHART, Run, reference_page, speed_points
from rivulet.report.speed_chart import speed_chart
from rivulet.report.stage_times import StageTime, stage_times
from rivulet.report.table_effects import table_effects
from rivulet.report.templates import embedded_json
from rivulet.tables import write_table

ROOT = Path(__file__).resolve().parent.parent
KEPT = (
    "benchmarks.csv", "*/roofline.csv", "*/droplet_gain.csv", "*/droplet_gain.svg",
    "*/droplet_effect.csv", "*/transfer/ranking.csv", "*/benchmarks/*/*.csv",
    "*/benchmarks/*/kernels/*.csv", "*/benchmarks/*/samples/*.csv", "*/kernels/*.csv",
)  # fmt: skip
LOGS = ("*/logs/*/*/log.json", "*/transfer/*/*/log.json", "*/transfer-droplet/*/*/log.json")
EARLIER = ROOT / "docs/earlier_results.csv"
COUNTS = (500, 1000, 2000, 5000, 10000, 20000)
TITLE = "# A reference run"
INTRODUCTION = """What one finished run has shown, made by `python scripts/keep_reference.py` from
its results. [report.html](report.html) has all of it to click through, with every kernel;
[benchmarks.csv](benchmarks.csv) every row; `samples/` every sample; `logs/` and `transfer/` the
schedules. Paths are those of the run, below `results/`."""
RERUN = """## To make it again, and to go on from it

With [config.yaml](config.yaml), the configuration of the run:

```
snakemake --cores 2 --configfile docs/reference/config.yaml
python scripts/keep_reference.py --configfile docs/reference/config.yaml
```

The logs are here with the {best} fastest schedules of each kernel, and with all trials, compressed.
To use one, unpack it and name it in a config, as a source of schedules for whatever model is tuned
([transfer.md](../transfer.md)). So one of the pairs is made again from the schedules kept here, on
a machine of another kind too, with a short search of the target's own beside it:

```
cp -r docs/reference/{hardware}/logs/ansor-{trials} build-on && gunzip -r build-on
cat > again.yaml <<END
models: {{{target}: {target_definition}}}
library: {{{source}-kept: {{log: build-on/{source}, other_hardware: true}}}}
trials: [200]
END
snakemake --cores 2 results/local/benchmarks/ansor-200/{source}-kept-to-{target}.csv \\
    --configfile again.yaml
```
"""
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)


def without_links(page):
    """The page with no link to schedules, which are not kept."""
    found = DATA.search(page)
    data = json.loads(found[2])
    data["kernels"]["pages"] = []
    for row in data["kernels"]["rows"]:
        row[-1] = None
    return page[: found.start(2)] + str(embedded_json(data)) + page[found.end(2) :]


def problem_with(place, results):
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


def keep(options):
    """Copy and distil a run, and write its page; returns the files written."""
    place, results = options.place, options.results
    # Everything is read before the reference that is there already goes.
    records = [r for r in records_below(results).values() if r.stage == "benchmark"]
    run = run_of(options, records)
    # As it was written: the order of the models is that of their pools, too.
    configuration = options.configfile.read_text()
    shutil.rmtree(place, ignore_errors=True)
    written = []
    for pattern in KEPT:
        for path in sorted(results.glob(pattern)):
            copy = place / path.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            written.append(copy)
    logs = sorted(path.parent for pattern in LOGS for path in results.glob(pattern))
    for number, log in enumerate(logs, 1):
        print(f"log {number} of {len(logs)}: {log}", file=sys.stderr, flush=True)
        below = log.relative_to(results)
        written += distil_log(log, place / below, options.best, f"results/{below}")
    page = place / "report.html"
    page.write_text(without_links((results / "report.html").read_text()))
    chart = place / CHART
    chart.write_text(speed_chart("Speed over ONNX Runtime's", speed_points(answers(run.rows), run)))
    config = place / "config.yaml"
    config.write_text(configuration)
    stages = place / "stages.csv"
    write_table(StageTime, run.stages, stages)
    readme = place / "README.md"
    readme.write_text(reference_page(TITLE, INTRODUCTION, run))
    return [*written, page, chart, config, stages, readme]


def run_of(options, records):
    """What the page tells of: the largest trial count of the first hardware."""
    rows = read_rows(options.results / "benchmarks.csv")
    if not rows or not records:
        raise UserError(
            f"{options.results}: no pair in its benchmarks.csv; there is nothing to keep"
        )
    hardware = rows[0]["hardware"]
    trials = max(int(row["trials"]) for row in rows if row["hardware"] == hardware)
    rows = [r for r in rows if r["hardware"] == hardware and int(r["trials"]) == trials]
    config = config_of(options)
    folder = options.results / hardware
    models = [m for m in config["models"] if any(row["target"] == m for row in rows)]
    rows.sort(key=lambda row: models.index(row["target"]))
    confidence = confidence_of(json.dumps(config))
    study = folder / "droplet_effect.csv"
    measured = reading.read_rows(study, EffectRow) if study.exists() else []
    studied = {
        (one.source, one.target, one.comparison): one for one in measured if one.trials == trials
    }
    # The study leaves the pool out, and a run may leave out the study.
    derived = table_effects(rows, samples_of(folder, trials), confidence)
    effects = {(one.source, one.target, one.comparison): one for one in derived} | studied
    pair = next((row for row in rows if row["source"] != "pool"), rows[0])
    definition = config["models"][pair["target"]]
    return Run(
        rows=rows,
        trials=trials,
        confidence=confidence,
        droplet_trials=config["droplet"]["trials"],
        curves={
            model: read_curve(folder / f"logs/ansor-{trials}" / model / "trials.csv")
            for model in models
        },
        counts=[*(n for n in COUNTS if n < trials), trials],
        effects=list(effects.values()),
        earlier=earlier_pairs(read_earlier(options.earlier)) if options.earlier else {},
        stages=stage_times(options.logs) if options.logs.exists() else [],
        facts=facts_of(records, config, folder, trials),
        rerun=RERUN.format(
            best=options.best, hardware=hardware, trials=trials, source=pair["source"],
            target=pair["target"], target_definition=json.dumps(definition).replace('"', ""),
        ),
    )  # fmt: skip


def samples_of(folder, trials):
    """Source and target to the samples of the pair's table from the log without droplet."""
    found = {}
    for path in sorted((folder / f"benchmarks/ansor-{trials}/samples").glob("*.csv")):
        source, _, target = path.stem.partition("-to-")
        found[source, target] = read_rows(path)
    return found


def config_of(options):
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


def facts_of(records, config, folder, trials):
    """What the run was made with, in words."""
    seen = [record.facts.get("environment", {}) for record in records]
    versions = [one.get("versions", {}) for one in seen]

    def distinct(values):
        return ", ".join(dict.fromkeys(str(value) for value in values if value)) or "unknown"

    sizes = [
        sum(path.stat().st_size for path in (folder / f"logs/ansor-{trials}" / model).iterdir())
        for model in config["models"]
        if (folder / f"logs/ansor-{trials}" / model).exists()
    ]
    days = sorted(record.made["at"] for record in records)
    return {
        "models": ", ".join(config["models"]),
        "trials": f"{trials:,} for each model, search seed {config['search']['seed']}",
        "CPU": distinct(one.get("cpu") for one in seen),
        "threads": distinct(one.get("threads") for one in seen),
        "target": distinct(json.dumps(one.get("target")).strip('"') for one in seen),
        "benchmarked": f"{days[0][:16]} to {days[-1][:16]}",
        "commit": distinct(one.get("commit") for one in seen),
        "packages": "; ".join(
            f"{name} {distinct(one.get(name) for one in versions)}"
            for name in ("apache-tvm", "onnxruntime", "torch", "python")
        ),
        "peak": ", ".join(
            f"{float(row['peak']):.0f} {row['unit']}" for row in read_rows(folder / "roofline.csv")
        ),
        "size of Ansor's logs": ", ".join(f"{size / 1e6:.0f} MB" for size in sizes),
    }


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=" ".join(__doc__.splitlines()[2:]).strip()
    )
    parser.add_argument(
        "place", type=Path, nargs="?", default=ROOT / "docs/reference",
        help="folder to write, replaced if it is there (default: docs/reference)",
    )  # fmt: skip
    parser.add_argument(
        "--results", type=Path, default=ROOT / "results", help="results of the run (default: ours)"
    )
    parser.add_argument(
        "--logs", type=Path, default=ROOT / "logs",
        help="logs of its jobs, for the wall time of each stage (default: ours)",
    )  # fmt: skip
    parser.add_argument(
        "--configfile", type=Path, default=ROOT / "config/config.yaml",
        help="configuration that the run was made with (default: config/config.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--best", type=int, default=4, metavar="K",
        help="schedules kept of each kernel in a log (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--earlier", type=Path, default=EARLIER if EARLIER.exists() else None, metavar="CSV",
        help="published latencies to stand beside those of the same pairs (default: "
        f"{EARLIER.relative_to(ROOT)})",
    )  # fmt: skip
    options = parser.parse_args()
    if not (options.results / "report.html").exists():
        print(f"{options.results}: no report.html in it; finish the run first", file=sys.stderr)
        return 1
    if problem := problem_with(options.place, options.results):
        print(f"{options.place}: {problem}", file=sys.stderr)
        return 1
    try:
        written = keep(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in written)
    print(f"{options.place}: {len(written)} files, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
