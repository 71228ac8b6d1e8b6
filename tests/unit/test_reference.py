"""What a finished run answers, as a page: ratios over tables, published figures, stages."""

import gzip
import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from rivulet.benchmark.estimates import Sampling
from rivulet.benchmark.table import MethodRow, SampleRow
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.errors import UserError
from rivulet.log_tools.distil import distil_log
from rivulet.measure.ratios import Ratio
from rivulet.records.curve import Curve, Progress
from rivulet.records.stored import read_log
from rivulet.report.blocks import blocks_of
from rivulet.report.reference.combined import combined
from rivulet.report.reference.earlier import earlier_pairs, read_earlier
from rivulet.report.reference.page import reference_page
from rivulet.report.reference.run import Run
from rivulet.report.reference.speed_chart import speed_chart
from rivulet.report.reference.stage_times import stage_times
from rivulet.report.reference.summary import speed_points
from rivulet.report.reference.table_effects import table_effects
from unit.test_records_merge import make_log, record_line, schedules, trial

ROOT = Path(__file__).resolve().parents[2]
RATIOS = ("speedup_vs_untuned", "speedup_vs_onnxruntime", "share_of_ansor_speedup")


def row(target, source, method, log="ansor", latency=10.0, runtime=9.0, ansor=10.0, **more):
    """A row of the benchmark table in which every interval reaches 2 % to either side."""
    values = dict.fromkeys((field.name for field in fields(MethodRow)), None)
    values |= {
        "hardware": "local", "target": target, "source": source, "method": method, "log": log,
        "trials": 64, "latency_ms": latency, "search_seconds": 30.0, "trials_measured": 64.0,
        "kernel_sum_ms": 8.0, "disturbed": "", "error": "",
    }  # fmt: skip
    speeds = (900 / latency, runtime / latency, ansor / latency) if latency else (None,) * 3
    for column, value in zip(RATIOS, speeds, strict=True):
        ends = (value * 0.98, value * 1.02) if value else (None, None)
        values |= dict(
            zip((column, f"{column}_low", f"{column}_high"), (value, *ends), strict=True)
        )
    return MethodRow(**values | more)


def table(target, source, log="ansor", slower=1.0):
    """The rows of a pair, with all of its latencies times a factor."""
    rows = [
        row(target, source, "untuned", log, 900.0 * slower),
        row(target, source, "onnxruntime", log, 9.0),
        row(target, source, "ansor", log, 10.0 * slower),
        row(target, source, "droplet", log, 9.5 * slower),
        row(target, source, "transfer", log, 11.0 * slower, ansor_seconds_to_match=60.0,
            source_search_seconds=300.0),
    ]  # fmt: skip
    if log == "ansor":
        rows.append(row(target, source, "transfer+droplet", log, 10.5 * slower))
    if source == "pool" and log == "ansor":
        rows.append(row(target, source, "warm", log, 9.0 * slower))
    return rows


ROWS = [
    one
    for target, other in (("big", "small"), ("small", "big"))
    for source in (other, "pool")
    for log in ("ansor", "droplet")
    for one in table(target, source, log, 1.0 if log == "ansor" else 1.01)
]


def effect(comparison, value, verdict):
    return EffectRow(
        "local", "small", "big", 64, comparison, "a", "b", 10.0, 10.0 / value, value, value - 0.02,
        value + 0.02, 5, verdict, "",
    )  # fmt: skip


EFFECTS = [
    effect(OWN_LOG, 1.05, "better"), effect(BEFORE_TRANSFER, 0.99, "no difference shown"),
    effect(AFTER_TRANSFER, 1.04, "better"),
]  # fmt: skip


def run_of(**more):
    curve = Curve([Progress(2.0, 8, 20.0), Progress(9.0, 32, 12.0), Progress(20.0, 60, 10.0)])
    settings = {
        "rows": ROWS, "confidence": 0.95, "droplet_trials": 16,
        "curves": {"big": curve}, "counts": [16, 64], "effects": EFFECTS,
    }  # fmt: skip
    return Run(**settings | more)


def test_a_ratio_of_one_table_has_its_own_interval_and_of_several_that_of_their_spread():
    rows = [row("t", "s", "droplet", latency=value) for value in (9.0, 10.0, 11.0, 10.0)]
    column = "speedup_vs_onnxruntime"
    one = combined(rows[:1], column, 0.95)
    assert (one.value, one.low, one.high) == pytest.approx((1.0, 0.98, 1.02))
    two = combined(rows[:2], column, 0.95)
    assert (two.low, two.high) == pytest.approx((0.9 * 0.98, 1.02))
    assert two.value == pytest.approx((1.0 * 0.9) ** 0.5)
    four = combined(rows, column, 0.95)
    # Student's factor for three degrees of freedom is 3.182, the logarithms' deviation 0.0820.
    assert four.value == pytest.approx(0.9 / (0.9 * 1.1) ** 0.25)
    assert four.high / four.value == pytest.approx(1.1393, abs=1e-3)
    assert four.high / four.value == pytest.approx(four.value / four.low)
    assert combined([], column, 0.95) is None
    assert combined([replace(rows[0], **{column: None})], column, 0.95) is None


def test_the_page_answers_with_intervals():
    page = reference_page("# A reference run", "What one run has shown.", run_of())
    assert page.startswith("# A reference run\n\nWhat one run has shown.\n")
    lines = page.splitlines()
    assert any(line.startswith("| Ansor, 64 trials | 0.896 (0.88") for line in lines)
    # Transfers stand by source, the pool last, and only those from logs without droplet.
    first = [line.split(" | ")[0] for line in lines[lines.index("|  | big | small |") + 2 :]]
    assert first[:10] == [
        "| untuned", "| ONNX Runtime", "| Ansor, 64 trials", "| droplet, 16 trials", "| warm start",
        "| transfer from big, ansor log", "| transfer + droplet from big, ansor log",
        "| transfer from small, ansor log", "| transfer + droplet from small, ansor log",
        "| transfer from pool, ansor log",
    ]  # fmt: skip
    assert "- **Droplet before a transfer**, in 1 pair: 0 better, 0 worse, 1 with no" in page
    assert "- **Droplet after a transfer**, in 1 pair: 1 better, 0 worse, 0 with no" in page
    beside = (
        "beside Ansor 0 better, 4 worse, 0 with no difference shown; 4 of 4 faster than untuned"
    )
    assert beside in page
    assert "| big to small | 1.050 (1.030–1.070) better | 0.990 (0.970–1.010) no diff" in page
    # By trial count: the sum after 16 of 64 trials was twice that at the end.
    assert "| big | 10.0 ms | 2.000, 2.0 s | 1.000, 20 s | 8 trials, 2.0 s |" in page
    assert "0 of 8 tables were measured while something else" in page
    assert "1.26 times on big, 1.26 times on small (Ansor)" in page
    # What is far below one has digits enough to tell its ends apart.
    (low, high) = re.search(
        r"\| untuned \| 90\d \| 0\.0\d+ \((0\.0\d+)–(0\.0\d+)\) \|", page
    ).groups()
    assert float(low) < float(high)
    # Each table has as many cells in every line as in its head.
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count(" | ") for line in block.splitlines()}) == 1, block


def test_what_was_not_measured_is_said_and_not_shown():
    page = reference_page("# T", "", run_of(effects=[]))
    assert "## Droplet search before" not in page
    assert "What droplet search changes before a transfer and after it was not measured" in page


def test_without_the_study_the_tables_tell_what_droplet_changes():
    samples = [
        SampleRow(process=process, used=used, method=method, sample=1, latency_ms=latency)
        for process, used, factor in ((1, "yes", 1.0), (2, "yes", 1.1), (3, "no", 9.0))
        for method, latency in (("transfer", 11.0), ("transfer+droplet", 10.0 * factor))
    ]
    effects = table_effects(ROWS, {("big", "small"): samples}, Sampling(0.95, 100, 0))
    found = {(e.source, e.target, e.comparison): e for e in effects}
    # 11/10 and 11/11 in the two processes that count.
    after = found["big", "small", AFTER_TRANSFER]
    assert after.effect == pytest.approx(1.1**0.5)
    assert after.verdict == "no difference shown"
    assert ("pool", "small", AFTER_TRANSFER) not in found
    # Of two tables, whose errors add in square.
    before = found["pool", "small", BEFORE_TRANSFER]
    assert before.effect == pytest.approx(1 / 1.01)
    reach = 2**0.5 * math.log(1.02 / 0.98) / 2
    assert math.log(before.effect_high / before.effect) == pytest.approx(reach)
    assert found["big", "small", OWN_LOG].effect == pytest.approx(10 / 9.5 / 1.005, abs=1e-3)
    page = reference_page("# T", "", run_of(effects=effects))
    assert re.search(r"\| pool to small \| .* \| 0\.990 \(.*\) no difference shown \\\* \|", page)


def test_a_method_without_a_latency_shows_why():
    broken = row("small", "big", "droplet", latency=None, error="wrong output: relative error 1.0")
    page = reference_page("# T", "", run_of(rows=[*table("small", "big")[:3], broken], effects=[]))
    assert "| droplet | wrong output: relative error 1.0 | – |" in page
    assert "| droplet, 16 trials |" not in page


def test_published_figures_stand_beside_their_pair():
    earlier = earlier_pairs(read_earlier(ROOT / "docs/earlier_results.csv"))
    assert len(earlier) == 6
    pair = earlier["alexnet", "googlenet"]
    assert pair.droplet == pytest.approx(75.953 / 69.356)
    assert pair.of_tuned == pytest.approx(33.790 / 75.953)
    assert pair.droplet_alone == pytest.approx(33.790 / 33.248)
    assert all(one.of_untuned < 1 for one in earlier.values())
    page = reference_page("# T", "", run_of(earlier={("big", "small"): pair}))
    assert "### Beside what was published before" in page
    assert (
        "| big to small | 0.45 | 0.44 | 0.909 (0.891–0.927) | 1.10 | 0.990 (0.970–1.010) |" in page
    )


def test_another_table_is_not_taken_for_published_figures(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name in ("other.csv", "none.csv"):
        with pytest.raises(UserError, match=rf"--earlier .*{name}: not a table of published"):
            read_earlier(tmp_path / name)


def test_the_figure_has_every_method_but_those_off_its_scale():
    points = speed_points(run_of())
    assert {label for label, _, _ in points["big"]}.isdisjoint({"untuned", "ONNX Runtime"})
    assert len(points["big"]) == len(blocks_of(ROWS)[0].lines) - 2
    picture = speed_chart("Speed", points)
    assert picture.startswith("<svg xmlns")
    assert "transfer + droplet from pool, ansor log" in picture
    assert speed_chart("Speed", points) == picture
    assert "0.90 (0.88 to 0.92)" in speed_chart(
        "S", {"t": [("x", "ansor", Ratio(0.9, 0.88, 0.92))]}
    )


def test_stages_are_timed_by_the_logs_of_their_jobs(tmp_path):
    def log(path, *lines):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(f"2030-01-01 10:{line}\n" for line in lines))

    log(
        "local/logs/ansor-64/big.log", "00:20,000 INFO search big: started, command: x",
        "00:30,500 INFO search big   16/64 trials", "01:00,500 INFO search big: done in 0:40",
    )  # fmt: skip
    log("local/logs/ansor-64/small.log", "02:00,000 INFO s: started", "02:05,000 INFO s: done")
    log("local/logs/warm-64/big.log", "03:00,000 INFO w: started", "03:01,000 WARNING w: slow")
    log("local/transfer/ansor-64/a-to-b.log", "04:00,000 INFO t: started", "04:09,000 INFO t: d")
    log("local/transfer/ranking.log", "05:00,000 INFO r: started", "05:02,000 INFO r: done")
    log("local/roofline.log", "06:00,000 INFO r: started", "06:03,000 INFO r: done")
    log("models/big.log", "07:00,000 INFO e: started", "07:04,000 INFO e: done")
    log("env.log", "00:00,000 INFO nothing of a stage")
    log("benchmarks.log", "00:00,000 INFO the collected table is no benchmark")
    (tmp_path / "local/kernels").mkdir()
    (tmp_path / "local/kernels/big.log").write_text("no time in it\n")
    assert [(one.stage, one.jobs, one.seconds, one.longest) for one in stage_times(tmp_path)] == [
        ("export", 1, 4.0, 4.0), ("roofline", 1, 3.0, 3.0), ("Ansor's search", 2, 45.5, 40.5),
        ("rank sources", 1, 2.0, 2.0), ("transfer", 1, 9.0, 9.0), ("warm start", 1, 1.0, 1.0),
    ]  # fmt: skip
    assert stage_times(tmp_path / "none") == []


def test_a_distilled_log_is_a_log_again_once_it_is_unpacked(tmp_path):
    log = make_log(
        tmp_path / "log", ["wa", "wb"],
        [record_line(0, "t1", 5), record_line(1, "t2", 9), record_line(0, "t3", 4)],
        [trial(1, "a", "c1", 5, 5), trial(2, "b", "c2", 9, 9), trial(3, "a", "c3", 4, 4)],
        model="small",
    )  # fmt: skip
    written = distil_log(log, tmp_path / "kept", 1, "results/log")
    assert {path.name for path in written} == {
        "database_workload.json.gz", "database_tuning_record.json.gz", "trials.csv.gz",
        "origin.json",
    }  # fmt: skip
    before = {path: path.read_bytes() for path in written}
    assert {
        p: p.read_bytes() for p in distil_log(log, tmp_path / "kept", 1, "results/log")
    } == before
    origin = json.loads((tmp_path / "kept/origin.json").read_text())
    assert [one["folder"] for one in origin["logs"]] == ["results/log"]
    for path in (tmp_path / "kept").glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    assert schedules(tmp_path / "kept") == [("wb", "t2", 9), ("wa", "t3", 4)]
    again = read_log(tmp_path / "kept")
    assert (len(again.trials), again.origin.model) == (3, "small")
