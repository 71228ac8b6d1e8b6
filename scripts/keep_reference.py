#!/usr/bin/env python3
"""Keep the tables and the report of a finished run in another folder, without its logs.

What is kept is small enough to go into a repository beside the code that made it.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.report.templates import embedded_json

ROOT = Path(__file__).resolve().parent.parent
KEPT = (
    "benchmarks.csv", "*/roofline.csv", "*/droplet_gain.csv", "*/droplet_gain.svg",
    "*/droplet_effect.csv", "*/transfer/ranking.csv", "*/benchmarks/*/*.csv",
    "*/benchmarks/*/kernels/*.csv", "*/benchmarks/*/samples/*.csv", "*/kernels/*.csv",
)  # fmt: skip
README = """# A reference run

The tables and the report of one finished run, without its logs and compiled models: open
[report.html](report.html) in a browser, or read [benchmarks.csv](benchmarks.csv). The page says on
which machine it was made, by which commit and with which configuration. Paths in it are those of
the run, below `results/`; each table has the same path here.

To make it again, with the configuration that the page shows as `config/demo.yaml`:

```
make demo
python scripts/keep_reference.py
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
    if not (readme.exists() and readme.read_text().startswith(README.splitlines()[0])):
        return "there already, and no reference that this command has made; name another folder"
    return None


def keep(results, place):
    """Copy a run's tables and its report; returns the files written."""
    shutil.rmtree(place, ignore_errors=True)
    written = []
    for pattern in KEPT:
        for path in sorted(results.glob(pattern)):
            copy = place / path.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            written.append(copy)
    page = place / "report.html"
    page.write_text(without_links((results / "report.html").read_text()))
    (place / "README.md").write_text(README)
    return [*written, page, place / "README.md"]


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
    options = parser.parse_args()
    if not (options.results / "report.html").exists():
        print(f"{options.results}: no report.html in it; finish the run first", file=sys.stderr)
        return 1
    if problem := problem_with(options.place, options.results):
        print(f"{options.place}: {problem}", file=sys.stderr)
        return 1
    written = keep(options.results, options.place)
    size = sum(path.stat().st_size for path in written)
    print(f"{options.place}: {len(written)} files, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
