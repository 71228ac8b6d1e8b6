"""The report: what it says of which numbers, and that the page needs nothing besides itself."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rivulet import methods
from rivulet.benchmark.table import MethodRow, write_rows
from rivulet.errors import UserError
from rivulet.kernels.store import StoredKernel
from rivulet.methods import METHODS, TRANSFER_DROPLET, Method, method_of
from rivulet.provenance import write_record
from rivulet.records.trials import Trial, write_trials
from rivulet.report.blocks import blocks_of
from rivulet.report.inputs import (
    ReportInputs,
    confidence_of,
    read_history,
    read_transfer,
)
from rivulet.report.page import build_report
from rivulet.report.verdicts import compare, verdict
from rivulet.report.wording import duration, latency_text, number, percent
from rivulet.tables import read_table, write_table
from rivulet.transfer.ranking import Ranked, write_ranking
from rivulet.transfer.table import CandidateRow, write_candidates

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NASTY = """block "<script>alert('x')</script>" & loop"""
WRONG = "output differs from ONNX Runtime's by 4.0e-01"
# Median latency in ms of each target by method.
OWN = {
    "resnet18": {"untuned": 60.0, "onnxruntime": 1.9, "ansor": 1.42, "droplet": 1.41},
    "squeezenet1_1": {"untuned": 12.0, "onnxruntime": 1.1, "ansor": 0.61, "droplet": 0.55},
    "alexnet": {"untuned": 9.0, "onnxruntime": 4.0, "ansor": 4.01, "droplet": 3.9},
}
MOVED = {
    ("squeezenet1_1", "resnet18", "ansor"): 1.70,
    ("squeezenet1_1", "resnet18", "droplet"): 1.53,
    ("alexnet", "resnet18", "ansor"): 2.9,
    ("alexnet", "resnet18", "droplet"): 1.54,
    ("resnet18", "squeezenet1_1", "ansor"): 0.612,
    ("resnet18", "squeezenet1_1", "droplet"): 0.58,
    ("alexnet", "squeezenet1_1", "ansor"): None,
    ("alexnet", "squeezenet1_1", "droplet"): 0.9,
    ("resnet18", "alexnet", "ansor"): 4.8,
    ("resnet18", "alexnet", "droplet"): 4.4,
    ("squeezenet1_1", "alexnet", "ansor"): 6.0,
    ("squeezenet1_1", "alexnet", "droplet"): 5.1,
}

# Droplet search on what a transfer took.
REFINED = {
    ("squeezenet1_1", "resnet18", "droplet"): 1.50,
    ("alexnet", "resnet18", "droplet"): 1.39,
    ("alexnet", "squeezenet1_1", "ansor"): None,
}


def method_rows(
    source: str, target: str, log: str, moved: float | None, drift: float = 1.0
) -> list[MethodRow]:
    """Rows of one pair run, with intervals of 1 % to either side."""
    rows = []
    latencies = OWN[target] | {"transfer": moved}
    if (pair := (source, target, log)) in REFINED:
        latencies["transfer+droplet"] = REFINED[pair]
    for method, latency in latencies.items():
        row = MethodRow("local", target, source, method, log, 128, fingerprint="0123456789ab")
        row.tvm_version = "0.26.0"
        if latency is None:
            row.error, row.max_rel_error = WRONG, 0.4
        else:
            row.latency_ms = round(latency * drift, 6)
            row.latency_ms_low = round(latency * drift * 0.99, 6)
            row.latency_ms_high = round(latency * drift * 1.01, 6)
            row.processes, row.samples, row.max_rel_error = 3, 30, 1.25e-6
            row.speedup_vs_untuned = round(OWN[target]["untuned"] / latency, 4)
            row.speedup_vs_onnxruntime = round(OWN[target]["onnxruntime"] / latency, 4)
            row.share_of_ansor_speedup = round(OWN[target]["ansor"] / latency, 4)
            for column in ("speedup_vs_onnxruntime", "share_of_ansor_speedup"):
                ratio = getattr(row, column)
                setattr(row, f"{column}_low", round(ratio * 0.985, 4))
                setattr(row, f"{column}_high", round(ratio * 1.015, 4))
        if method in ("ansor", "droplet"):
            row.search_seconds, row.trials_measured = 52.1, 128
            row.kernel_sum_ms = 1.3
        if method == "transfer":
            row.search_seconds, row.trials_measured = 17.2, 40
            row.kernel_sum_ms, row.source_search_seconds = 1.5, 52.0
            row.ansor_seconds_to_match = math.inf if source == "alexnet" else 34.4
            row.ansor_sum_ms_at_equal_time = None if target == "alexnet" else 1.75
            row.kernels_total, row.kernels_covered, row.flops_covered = 3, 2, 0.9
        if method == "transfer+droplet":
            row.search_seconds, row.trials_measured = 8.4, 24
            row.kernel_sum_ms, row.source_search_seconds = 1.45, 52.0
            row.ansor_seconds_to_match, row.ansor_sum_ms_at_equal_time = 34.4, 1.5
            row.kernels_total, row.kernels_covered, row.flops_covered = 3, 3, 1.0
        rows.append(row)
    return rows


def candidates() -> list[CandidateRow]:
    """Three kernels: one with an adopted schedule, one that keeps its default, one uncovered."""
    conv = ("fused_conv2d_add", "conv2d_add", 2, 4e6)
    dense = ("fused_dense", "dense", 1, 1e6)
    pool = ("fused_max_pool2d", "max_pool2d", 1, 1e6)

    def row(kernel: tuple[str, str, int, float], **values: str) -> CandidateRow:
        return CandidateRow(*kernel, **values)

    good = {"valid": "yes", "correct": "yes"}
    return [
        row(conv, source_kernel="a", kind="class", median_us="10", chosen="yes", **good),
        row(conv, source_kernel="b", kind="class", reason=NASTY),
        row(conv, kind="default", valid="yes", median_us="80"),
        row(dense, source_kernel="c", kind="exact", median_us="20", **good),
        row(dense, kind="default", valid="yes", median_us="19", chosen="yes"),
        row(pool, source_kernel="d", kind="class", reason=NASTY),
        row(pool, source_kernel="e", kind="class", reason=NASTY),
        row(pool, kind="default", valid="yes", median_us="5", chosen="yes"),
    ]


def write_history(path: Path, *moments: tuple[float, float]) -> Path:
    """A table of trials with the given seconds and sums of the kernels' latencies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    rows = [
        Trial(
            n, seconds, "k", n, "s", f"c{n}", 0.0, 0.1, 0.1, "[1.0]", "", "1.0", f"{milliseconds}"
        )
        for n, (seconds, milliseconds) in enumerate(moments, 1)
    ]
    write_trials(path, rows)
    return path


def write_inputs(root: Path, moved: dict[tuple[str, str, str], float | None]) -> ReportInputs:
    """A results folder with the given transfers; without any, what a single model leaves."""
    hardware = root / "results/local"
    rows, records, tables = [], [], []
    for count, ((source, target, log), latency) in enumerate(moved.items()):
        own = method_rows(source, target, log, latency, drift=1 + 0.002 * (count % 4))
        rows += own
        pair = hardware / f"benchmark/{log}-128/{source}-to-{target}"
        pair.mkdir(parents=True)
        write_rows(own, pair / "pair.csv")
        environment = {
            "cpu": "Example <CPU> & Co. 3000",
            "architecture": "x86_64",
            "features": ["avx2", "fma"],
            "threads": 2,
            "target": "auto",
            "governor": "performance",
            "kernel": "6.1",
            "memory_gib": 15.6,
            "load_1min": 0.1 * (count + 1),
            "fingerprint": "0123456789ab",
            "versions": {"python": "3.11.9", "onnxruntime": "1.30.0"},
            "pinned_to": [0, 1],
            "llvm": "20",
            "clocks": {"mhz": [2600, 2600]},
            "clocks_after": {"mhz": [2600, 2400 + count]},
            "resolved_target": {"kind": "llvm", "mcpu": "example-v4"},
        }
        conduct = [{"others": 0.01 * (n + 1), "stolen": 0.002} for n in range(3)]
        facts = {"environment": environment, "conduct": conduct}
        record = pair / "pair.json"
        write_record(
            record, "benchmark", {}, {}, inputs=[], outputs=[pair / "pair.csv"], facts=facts
        )
        records.append(record)
        table = hardware / f"transfer/{log}-128/{source}-to-{target}/candidates.csv"
        table.parent.mkdir(parents=True)
        write_candidates(candidates(), table)
        tables.append(table)
    for model in OWN:
        path = hardware / f"kernels/{model}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        kernels = [
            StoredKernel("fused_conv2d_add", "conv2d_add", "1x2", "float32", 250_000_000, 3, "a"),
            StoredKernel("fused_dense", "dense", "1x2", "float32", 1_000_000, 1, "b"),
        ]
        write_table(StoredKernel, kernels, path)
    benchmarks = root / "results/benchmarks.csv"
    write_rows(rows, benchmarks)
    histories = [
        write_history(table.with_name("trials.csv"), (3.0, 1.9), (17.0, 1.5)) for table in tables
    ]
    for model in OWN if moved else ():
        path = hardware / f"logs/ansor-128/{model}/trials.csv"
        histories.append(write_history(path, (10.0, 2.5), (34.4, 1.5), (52.1, 1.3)))
    for source, target, log in REFINED if moved else ():
        path = hardware / f"transfer-droplet/{log}-128/{source}-to-{target}/trials.csv"
        histories.append(write_history(path, (2.0, 1.48), (8.0, 1.45)))
    if moved:
        path = hardware / "logs/warm-128/resnet18/trials.csv"
        histories.append(write_history(path, (3.0, 1.9), (12.0, 1.25)))
    rankings = [hardware / "transfer/ranking.csv"] if moved else []
    for path in rankings:
        write_ranking(
            [
                Ranked("ansor", 128, "resnet18", "squeezenet1_1", 1, 0.9, 1.0, 2, 1.5),
                Ranked("ansor", 128, "resnet18", "alexnet", 2, 0.5, 0.9, 1, 2.5),
            ],
            path,
        )
    config = {"models": {"resnet18": {"torchvision": "resnet18"}}, "note": "</code><b>bold</b>"}
    return ReportInputs(
        benchmarks,
        records,
        tables,
        kernels_of(root),
        histories,
        rankings,
        json.dumps(config),
        "abc1234",
    )


def kernels_of(root: Path) -> list[Path]:
    return sorted((root / "results/local/kernels").glob("*.csv"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    return write_inputs(tmp_path_factory.mktemp("report"), MOVED)


@pytest.fixture(scope="module")
def page(inputs: ReportInputs) -> str:
    return build_report(inputs, MADE)


@pytest.fixture(scope="module")
def empty_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_report(write_inputs(tmp_path_factory.mktemp("single"), {}), MADE)


VOID = {"meta", "link", "br"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list[Element]:
        own = [self] if self.tag == tag else []
        return own + [found for child in self.children for found in child.all(tag)]


class Tree(HTMLParser):
    """Elements as a tree; refuses tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        element = self.open.pop()
        assert element.tag == tag, f"</{tag}> closes <{element.tag}>"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def tree(page: str) -> Element:
    parser = Tree()
    parser.feed(page)
    parser.close()
    (root,) = parser.open
    return root


def words(element: Element) -> str:
    return " ".join(element.text.split())


def figure(page: str, title: str) -> Element:
    """The figure with a title."""
    return next(f for f in tree(page).all("svg") if words(f.all("title")[0]) == title)


def table(page: str, caption: str) -> list[list[str]]:
    """Cells of the body of a table."""
    for found in tree(page).all("table"):
        if words(found.all("caption")[0]).startswith(caption):
            bodies = [row for body in found.all("tbody") for row in body.all("tr")]
            return [[words(c) for c in row.children] for row in bodies]
    raise AssertionError(f"no table {caption}")


# --- The page as a document


@pytest.mark.parametrize("which", ["page", "empty_page"])
def test_page_is_well_formed_and_needs_nothing_besides_itself(
    which: str, request: pytest.FixtureRequest
) -> None:
    text = request.getfixturevalue(which)
    assert text.startswith("<!DOCTYPE html>")
    root = tree(text)
    assert len(root.all("h1")) == 1
    markup, scripts = text.partition("<script")[0], text.partition("<script")[2]
    assert not re.search(r"https?://|@import|<img|xmlns", markup)
    # The namespaces of SVG are names and no addresses that anything is loaded from.
    assert set(re.findall(r"https?://[^\"'\s]+", scripts)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script[^>]+src=", text)
    assert all(
        value.startswith(("#", "data:"))
        for element in root.all("a") + root.all("use") + root.all("link")
        if (value := element.attributes["href"])
    )


def test_ids_are_unique_and_references_resolve(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
    references += [
        (i, "") for found in re.findall(r'labelledby="([^"]+)"', page) for i in found.split()
    ]
    assert {a or b for a, b in references} <= set(ids)


def test_tables_have_captions_scopes_and_a_scrolling_place(page: str) -> None:
    root = tree(page)
    tables = root.all("table")
    assert len(tables) > 4
    for found in tables:
        assert words(found.all("caption")[0])
        assert all(head.attributes.get("scope") for head in found.all("th"))
    scrolling = [d for d in root.all("div") if d.attributes.get("class") == "scroll"]
    assert all(d.attributes["tabindex"] == "0" and d.attributes["aria-label"] for d in scrolling)
    assert sum(len(d.all("table")) for d in scrolling) == len(tables)


def test_figures_have_titles_and_follow_the_text_colour(page: str) -> None:
    figures = tree(page).all("svg")
    titles = [words(f.all("title")[0]) for f in figures]
    assert titles[:2] == [
        "Share of Ansor's speedup by source and target: local, ansor log, 128 trials",
        "Share of Ansor's speedup by source and target: local, droplet log, 128 trials",
    ]
    assert "Latency of resnet18 by method: local, 128 trials" in titles
    assert "Latency of resnet18 over search time: local, 128 trials" in titles
    assert len(figures) == 8
    assert all(f.attributes["role"] == "img" for f in figures)
    assert "currentColor" in page
    assert "#000000" not in page.partition("</style>")[2].partition("<script")[0]


def test_equal_inputs_give_equal_pages(inputs: ReportInputs, page: str) -> None:
    assert build_report(inputs, MADE) == page


def test_text_from_files_is_escaped(page: str) -> None:
    assert page.count("<script>") == 1  # the page's own
    assert page.count("<script") == page.count("</script>") == 2
    assert "<b>bold" not in page
    assert escape("<CPU> & Co.") in page
    uncovered = table(page, "Uncovered kernels: alexnet to resnet18")
    assert uncovered == [["fused_max_pool2d", "max_pool2d", "10 %", "2", f"{NASTY} (2 times)"]]


# --- What it says


def test_summary_speaks_of_measured_numbers(page: str) -> None:
    summary = words(tree(page).all("section")[0])
    assert "The table holds 12 pair runs of 3 target models on local" in summary
    assert (
        "The best transfer (from squeezenet1_1, droplet log) runs in 1.53 ms (95 % interval "
        "1.52–1.55) and reaches 0.93 of Ansor's speedup in 17 s of search against 52 s; slower "
        "than Ansor. No difference is shown between it and the transfer from alexnet, droplet log."
    ) in summary
    assert f"No latency for transfer from alexnet, ansor log: {WRONG}." in summary


def test_summary_claims_a_difference_only_where_intervals_show_it(page: str) -> None:
    said = [words(item) for item in tree(page).all("li")]
    ansor = {name: next(s for s in said if f"On local, {name} runs" in s) for name in OWN}
    droplet = [s for s in said if s.startswith("Droplet, which goes on from there, takes ")]
    assert ansor["resnet18"].endswith("with ONNX Runtime: Ansor is faster.")
    assert ansor["alexnet"].endswith("with ONNX Runtime: no difference shown.")
    endings = ("; faster than Ansor.", "; no difference to Ansor shown.", "; faster than Ansor.")
    assert len(droplet) == 3
    assert all(s.endswith(ending) for s, ending in zip(droplet, endings, strict=True))
    assert "Of 11 transfers compared: 1 faster than Ansor's own search, 9 slower, 1 with no" in (
        words(tree(page))
    )


def test_table_of_methods(page: str) -> None:
    rows = table(page, "Methods by target: local, 128 trials")
    ansor = next(r for r in rows if r[0] == "Ansor")
    assert ansor[1].startswith("4.02 4 runs: ")
    moved = [r for r in rows if r[0] == "transfer from alexnet, droplet log"]
    assert moved[0][1:] == [
        *("1.55 1.53–1.56", "39.0", "1.23", "0.92", "slower", "17.2", "40", "2 of 3 90 %"),
        "1.3e-06",
    ]
    failed = next(r for r in rows if r[1:2] == [f"No latency: {WRONG}"])
    assert failed[0] == "transfer from alexnet, ansor log"
    assert failed[-1] == "4.0e-01"


def test_droplet_on_a_transfer_stands_beside_the_transfer(page: str) -> None:
    rows = table(page, "Methods by target: local, 128 trials")
    names = [row[0] for row in rows]
    place = names.index("transfer + droplet from squeezenet1_1, droplet log")
    assert names[place - 1] == "transfer from squeezenet1_1, droplet log"
    assert rows[place][1:] == [
        *("1.50 1.49–1.52", "40.0", "1.27", "0.95", "slower", "8.40", "24", "3 of 3 100 %"),
        "1.3e-06",
    ]
    assert "transfer+droplet" not in names
    said = words(tree(page))
    assert (
        "Droplet, which goes on from the transfer from squeezenet1_1, droplet log, takes 1.50 ms "
        "(95 % interval 1.49–1.52); no difference to the transfer alone shown."
    ) in said
    assert f"No latency for transfer + droplet from alexnet, ansor log: {WRONG}." in said
    drawn = figure(page, "Latency of resnet18 by method: local, 128 trials")
    labels = [words(text) for text in drawn.all("text")]
    assert "from squeezenet1_1, droplet, + droplet" in labels
    assert method_of(TRANSFER_DROPLET).colour in page


def test_droplet_on_a_transfer_counts_in_no_sum_over_transfers(page: str) -> None:
    cells = {words(t) for f in tree(page).all("svg")[:2] for t in f.all("text")}
    assert {"0.93", "0.92"} <= cells
    assert not {"0.95", "1.02"} & cells
    assert len(table(page, "Coverage by pair: local, droplet log, 128 trials")) == 6


def test_heat_map_prints_its_shares(page: str) -> None:
    first = tree(page).all("svg")[0]
    cells = {words(t) for t in first.all("text")}
    assert {"0.84", "0.49", "1.00 ≈", "failed", "resnet18", "source", "target"} <= cells


def test_latency_axis_is_logarithmic_for_wide_ranges_only(page: str) -> None:
    labels = {
        words(f.all("title")[0]): {words(t) for t in f.all("text")} for f in tree(page).all("svg")
    }
    assert "latency in ms" in labels["Latency of alexnet by method: local, 128 trials"]
    wide = labels["Latency of resnet18 by method: local, 128 trials"]
    assert "latency in ms, logarithmic" in wide
    squeezenet = labels["Latency of squeezenet1_1 by method: local, 128 trials"]
    assert "no latency" in squeezenet


def test_coverage_by_pair_and_by_class(page: str, inputs: ReportInputs) -> None:
    pairs = table(page, "Coverage by pair: local, ansor log, 128 trials")
    assert len(pairs) == 6
    # Two of three kernels, with 8 + 1 of 10 MFLOP; speedups of 8 (adopted) and 1 (kept).
    assert pairs[0] == ["alexnet", "resnet18", "3", "2", "1", "90 %", "5", "4.50"]
    classes = table(page, "Coverage by kernel class, over all pairs: local, ansor log, 128 trials")
    assert classes == [
        ["conv2d_add", "6", "6", "6", "8.00"],
        ["dense", "6", "6", "0", "1.00"],
        ["max_pool2d", "6", "0", "0", "–"],
    ]
    assert table(page, "Models")[0] == ["alexnet", "local", "2", "2", "4", "0.751"]
    assert str(inputs.benchmarks) in page
    assert all(str(path) in page for path in (*inputs.candidates, *inputs.kernels))


def test_environment(page: str) -> None:
    facts = {
        words(name): words(text)
        for name, text in zip(tree(page).all("dt"), tree(page).all("dd"), strict=True)
    }
    assert facts["CPU"] == "Example <CPU> & Co. 3000"
    assert facts["Load at the pair runs"] == "0.1–1.2 (mean over one minute)"
    assert facts["TVM"] == "0.26.0"
    assert facts["Packages"] == "python 3.11.9, onnxruntime 1.30.0"
    assert facts["LLVM"] == "20"
    assert facts["Pinned to CPUs"] == "0, 1"
    assert facts["Frequencies"] == "2400–2600 MHz"
    assert facts["Temperature"] == "not readable"
    runs = table(page, "Pair runs")
    assert {tuple(row[3:]) for row in runs} == {("3 %", "0.2 %")}
    assert facts["Target, as resolved"] == '{"kind": "llvm", "mcpu": "example-v4"}'
    assert facts["Commit"] == "abc1234"
    assert "avx2 fma" in page
    assert "Made 2026-01-02 03:04 UTC" in page


def test_search_time_stands_beside_ansors(page: str) -> None:
    rows = table(page, "Search time")
    by_method = {(row[0], row[1]): row[2:] for row in rows}
    moved = by_method["resnet18", "from squeezenet1_1, ansor log"]
    # Search, kernels, Ansor at that time, matched by Ansor after, ratio, sources' and per target.
    assert moved == ["17.2", "1.50", "1.75", "34.4", "2.00", "52.0", "26.0"]
    assert by_method["resnet18", "from alexnet, ansor log"][3:5] == ["never", "–"]
    assert by_method["alexnet", "from resnet18, ansor log"][2] == "incomplete"
    assert "Ansor's search reached 1.3 ms after 3 trials and 52 s; the search started from the" in (
        words(tree(page))
    )
    assert "pool had it after 2 trials and 12 s." in words(tree(page))
    assert "Latency of resnet18 over search time" in page


def test_time_of_droplet_on_a_transfer_comes_on_top_of_the_transfers(page: str) -> None:
    rows = {(row[0], row[1]): row[2:] for row in table(page, "Search time")}
    labels = [label for target, label in rows if target == "resnet18"]
    assert labels[-2:] == [
        "from squeezenet1_1, droplet log",
        "from squeezenet1_1, droplet log, + droplet",
    ]
    # No ratio: Ansor's time to match would stand against a part of what was spent.
    assert rows["resnet18", "from squeezenet1_1, droplet log, + droplet"] == [
        *("8.40", "1.45", "1.50", "34.4", "–", "52.0", "26.0"),
    ]
    drawn = figure(page, "Latency of resnet18 over search time: local, 128 trials")
    told = words(drawn.all("desc")[0])
    assert "from squeezenet1_1, droplet: 1.5 ms after 17 s" in told
    assert "from squeezenet1_1, droplet, + droplet: 1.45 ms after 25 s" in told
    legend = [words(text) for text in drawn.all("text")]
    assert "from alexnet, droplet, + droplet" in legend


def test_folders_of_a_history_say_what_it_is_of(tmp_path: Path) -> None:
    def kind(folder: str) -> tuple[str, str, str, str, int]:
        one = read_history(write_history(tmp_path / "local" / folder / "trials.csv", (1.0, 2.0)))
        return one.method, one.source, one.log, one.target, one.trials

    assert kind("logs/droplet-64/a") == ("droplet", "", "", "a", 64)
    assert kind("transfer/ansor-64/a-to-b") == ("transfer", "a", "ansor", "b", 64)
    assert kind("transfer-droplet/ansor-64/a-to-b") == ("transfer+droplet", "a", "ansor", "b", 64)
    for folder in ("transfer-droplet/ansor-64/a", "transfer-droplet/ansor/a-to-b", "x/ansor-64/a"):
        with pytest.raises(UserError, match=r"trials\.csv: the folders do not say"):
            kind(folder)


def test_the_ranking_is_held_against_what_was_measured(page: str) -> None:
    rows = table(page, "Sources by expected benefit")
    assert [row[:4] for row in rows] == [
        ["resnet18", "squeezenet1_1", "ansor-128", "1"],
        ["resnet18", "alexnet", "ansor-128", "2"],
    ]
    assert [row[6] for row in rows] == ["0.84", "0.49"]
    text = words(tree(page))
    assert "two sources of one target differed 1 times, and 0 times no difference was shown" in text
    assert "gets wrong is 1.00, the paper's -1.00" in text


def test_an_empty_table_is_said_kindly(empty_page: str) -> None:
    text = words(tree(empty_page))
    assert "No pairs were benchmarked." in text
    assert "No transfers were made" in text
    assert "No pair run was made" in text
    assert not tree(empty_page).all("svg")
    assert len(table(empty_page, "Models")) == 3


def test_a_sweep_of_trials_has_a_figure_and_a_table(tmp_path: Path, page: str) -> None:
    assert "by trials" not in page  # a single trial count is no sweep
    inputs = write_inputs(tmp_path, {("alexnet", "resnet18", "ansor"): 1.5})
    more = method_rows("alexnet", "resnet18", "ansor", 1.4, drift=0.9)
    for row in more:
        row.trials = 512
    write_rows(method_rows("alexnet", "resnet18", "ansor", 1.5) + more, inputs.benchmarks)
    text = build_report(inputs)
    rows = table(text, "Latency in ms by trials: resnet18: local")
    assert rows == [
        ["Ansor", "1.42 (1.41–1.43)", "1.28 (1.27–1.29)"],
        ["droplet", "1.41 (1.40–1.42)", "1.27 (1.26–1.28)"],
        ["transfer from alexnet, ansor log", "1.50 (1.49–1.51)", "1.26 (1.25–1.27)"],
    ]
    drawn = figure(text, "Latency of resnet18 by trials: local")
    assert {"128", "512"} <= {words(label) for label in drawn.all("text")}
    assert "1.42 ms after 128, 1.28 ms after 512" in words(drawn.all("desc")[0])


def test_devices_in_several_states_are_pointed_out(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, {("alexnet", "resnet18", "ansor"): 1.5})
    rows = method_rows("alexnet", "resnet18", "droplet", 1.5)
    for row in rows:
        row.fingerprint = "ffffffffffff"
    write_rows(rows + method_rows("alexnet", "resnet18", "ansor", 1.5), inputs.benchmarks)
    text = words(tree(build_report(inputs)))
    assert "2 different states of the device (fingerprints 0123456789ab, ffffffffffff)" in text
    assert "No pair record describes this device." in text


def test_a_target_without_ansor_makes_no_comparison(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, {})
    rows = method_rows("alexnet", "resnet18", "ansor", 1.5)
    for row in rows:
        row.share_of_ansor_speedup = None
        row.share_of_ansor_speedup_low = row.share_of_ansor_speedup_high = None
        if row.method == "ansor":
            row.latency_ms = row.latency_ms_low = row.latency_ms_high = None
            row.error = WRONG
    write_rows(rows, inputs.benchmarks)
    text = words(tree(build_report(inputs)))
    assert "On local, resnet18 has no latency with Ansor" in text
    assert "A transfer (from alexnet, ansor log) runs in 1.50 ms" in text
    assert "than Ansor" not in text
    assert "alexnet to resnet18: –" in text


# --- Its parts


def timed(low: float, high: float, source: str = "a") -> MethodRow:
    names = [field.name for field in fields(MethodRow)]
    values = dict.fromkeys(names, None) | {"latency_ms": (low + high) / 2, "source": source}
    return MethodRow(**values | {"latency_ms_low": low, "latency_ms_high": high})  # type: ignore[arg-type]


def test_intervals_that_touch_show_no_difference() -> None:
    assert compare(timed(1, 2), timed(2.1, 3)) == "faster"
    assert compare(timed(2.1, 3), timed(1, 2)) == "slower"
    assert compare(timed(1, 2), timed(2, 3)) == "no difference shown"


def rated(low: float | None, high: float | None) -> MethodRow:
    ends = {"share_of_ansor_speedup_low": low, "share_of_ansor_speedup_high": high}
    return replace(timed(1, 2), **ends)


def test_runs_have_to_agree_on_a_ratio() -> None:
    def shown(*rows: MethodRow) -> str:
        return verdict(rows, "share_of_ansor_speedup")

    assert shown(rated(1.01, 1.2), rated(1.1, 1.3)) == "faster"
    assert shown(rated(0.9, 0.99)) == "slower"
    assert shown(rated(0.99, 1.2)) == "no difference shown"
    assert shown(rated(1.01, 1.2), rated(0.99, 1.2)) == "no difference shown"
    assert shown(rated(None, None)) == ""


def test_pairs_that_were_disturbed_are_named(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, {("alexnet", "resnet18", "ansor"): 1.5})
    rows = method_rows("alexnet", "resnet18", "ansor", 1.5)
    for row in rows:
        row.disturbed = "other processes took 12% of the CPUs"
    write_rows(rows, inputs.benchmarks)
    assert (
        "Disturbed while they were timed, because other processes took 12% of the CPUs: alexnet to "
        "resnet18 (ansor log, 128 trials)."
    ) in words(tree(build_report(inputs)))


def test_numbers_as_text() -> None:
    assert [number(v) for v in (0.0123, 1.5, 12.34, 1234.5, 0, None)] == [
        *("0.0123", "1.50", "12.3", "1234", "0", "–"),
    ]
    assert [percent(v) for v in (1.0, 0.9999, 0.123, 0.0)] == ["100 %", "> 99.9 %", "12.3 %", "0 %"]
    assert [duration(s) for s in (0.5, 17.2, 600, 9000)] == ["0.50 s", "17 s", "10 min", "2.5 h"]
    assert latency_text(1.42, 1.4196, 1.4204) == ("1.4200", "1.4196", "1.4204")
    assert latency_text(1.42, 1.40, 1.45) == ("1.42", "1.40", "1.45")


def test_every_method_has_a_name_and_a_colour_of_its_own() -> None:
    for values in ([one.title for one in METHODS], [one.colour for one in METHODS]):
        assert all(values)
        assert len(set(values)) == len(METHODS)


def test_a_new_method_is_shown_by_its_entry_alone(tmp_path: Path, monkeypatch) -> None:
    anneal = Method(
        name="anneal", title="annealing", colour="#123456", folder="anneal", work="annealing",
        stage="anneal", goes_on_from="ansor",
    )  # fmt: skip
    monkeypatch.setattr(methods, "METHODS", (*METHODS, anneal))
    monkeypatch.setitem(OWN, "resnet18", OWN["resnet18"] | {"anneal": 1.2})
    inputs = write_inputs(tmp_path, {("alexnet", "resnet18", "ansor"): 1.5})
    for kind, last in (("ansor", 1.4), ("anneal", 1.3)):
        place = tmp_path / f"results/local/logs/{kind}-128/resnet18/trials.csv"
        place.unlink(missing_ok=True)
        inputs.histories.append(write_history(place, (2.0, last)))
    page = build_report(inputs, MADE)
    assert "annealing" in page
    assert anneal.colour in page
    assert "Annealing, which goes on from there, takes" in page
    block = next(one for one in blocks_of(read_table(MethodRow, inputs.benchmarks)))
    assert block.line("anneal").label == "annealing"


def test_confidence_comes_from_the_configuration() -> None:
    assert confidence_of('{"benchmark": {"confidence": 0.9}}') == 0.9
    assert confidence_of("{}") == 0.95


def test_unreadable_inputs_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "benchmarks.csv"
    wrong.write_text("hardware,target\nlocal,resnet18\n")
    with pytest.raises(UserError, match=r"benchmarks\.csv: not readable .*no column source"):
        read_table(MethodRow, wrong)
    with pytest.raises(UserError, match="missing"):
        read_table(MethodRow, tmp_path / "missing.csv")
    stray = tmp_path / "candidates.csv"
    write_candidates(candidates(), stray)
    with pytest.raises(UserError, match="do not name a pair"):
        read_transfer(stray)
