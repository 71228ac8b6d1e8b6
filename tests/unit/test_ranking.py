"""Ranking of sources without measuring, and its agreement with measurements."""

import math
from dataclasses import replace

import pytest

from rivulet.kernels.structure import BlockStructure, KernelStructure
from rivulet.transfer.correlation import Share, agreement, ranking_correlations, read_ranking
from rivulet.transfer.ranking import KnownKernel, paper_score, rank_sources, write_ranking
from rivulet.transfer.similarity import compare_sources, write_similarity

PRODUCTS = "Add(load,Mul(load,load))"


def known(size, channels, gflops=100.0, workload="", schedules=30, form=PRODUCTS, weight=1):
    sizes = (1, size, size, channels, 3, 3, channels)
    structure = KernelStructure((BlockStructure("SSSSRRR", form, sizes),))
    flops = 2.0 * math.prod(sizes)
    seconds = flops / (gflops * 1e9) if gflops else math.inf
    name = workload or f"{size} {channels} {form}"
    return KnownKernel(name, structure, flops, weight, seconds, schedules)


TARGET = [known(14, 256), known(7, 512)]


def places(sources, target=TARGET):
    return [row.source for row in rank_sources("ansor", 640, "t", target, sources=sources)]


def test_a_source_with_the_same_kernels_comes_first():
    assert places({"far": [known(112, 8)], "same": TARGET}) == ["same", "far"]


def test_a_source_with_faster_schedules_comes_first():
    sources = {"slow": [known(28, 128, 20.0)], "fast": [known(28, 128, 120.0)]}
    assert places(sources) == ["fast", "slow"]


def test_a_source_with_more_schedules_to_choose_from_comes_first():
    sources = {"one": [known(28, 128, schedules=1)], "many": [known(28, 128, schedules=50)]}
    assert places(sources) == ["many", "one"]


def test_a_source_with_nothing_in_common_comes_last():
    sources = {
        "none": [known(28, 128, form="Max(load,load)")],
        "failed": [known(28, 128, gflops=0)],
        "some": [known(112, 8, 5.0)],
    }
    rows = rank_sources("ansor", 640, "t", TARGET, sources=sources)
    assert rows[0].source == "some"
    assert [row.flops_matched for row in rows] == [1.0, 0.0, 0.0]
    assert all(0 < row.expected_share < 1 for row in rows)


def test_the_papers_score():
    # All of the target's time is in one class, of which the source has four kernels.
    source = [known(7 * n, 64) for n in (1, 2, 4, 8)]
    assert paper_score(TARGET, source) == pytest.approx(2.0)
    assert paper_score(TARGET, []) == 0


def test_agreement_is_counted_within_targets():
    def row(target, source, ours, paper):
        return {"log": "ansor", "trials": "640", "target": target, "source": source,
                "expected_share": str(ours), "paper_score": str(paper)}  # fmt: skip

    rows = [row("a", "x", 0.9, 1), row("a", "y", 0.5, 2), row("b", "x", 0.1, 1)]
    measured = [Share(0.8, 0.75, 0.85), Share(0.6, 0.55, 0.65), Share(0.99, 0.98, 1.0)]
    assert agreement(rows, measured) == {"ours": 1.0, "paper": -1.0, "pairs": 1, "undecided": 0}
    nothing = {"ours": None, "paper": None, "pairs": 0}
    assert agreement(rows[2:], measured[2:]) == {**nothing, "undecided": 0}
    # Where the intervals overlap, no order was shown to be right or wrong.
    close = [Share(0.8, 0.6, 1.0), *measured[1:]]
    assert agreement(rows, close) == {**nothing, "undecided": 1}


def test_the_table_is_read_back(tmp_path):
    path = tmp_path / "ranking.csv"
    rows = rank_sources("ansor", 640, "t", TARGET, sources={"far": [known(112, 8)], "same": TARGET})
    write_ranking(rows, path)
    assert [r["place"] for r in read_ranking(path)] == ["1", "2"]
    measured = [
        ("same", "t", Share(0.9, 0.88, 0.92)), ("far", "t", Share(0.4, 0.38, 0.42)),
        ("pool", "t", Share(1.0, 0.98, 1.02)),
    ]  # fmt: skip
    assert ranking_correlations(path, measured)["ours"] == 1.0
    assert ranking_correlations(tmp_path / "none.csv", measured)["pairs"] == 0


def test_kernels_alone_tell_which_source_is_most_alike(tmp_path):
    """No log is read: what a kernel's schedules reached plays no part."""
    models = {
        "t": TARGET,
        "same": [known(14, 256, gflops=0), known(7, 512, gflops=0)],
        "half": [known(14, 256), known(112, 8)],
        "other": [known(14, 256, form="Max(load,load)")],
    }
    rows = compare_sources(models, {"lab": [known(14, 128)]})
    mine = [row for row in rows if row.target == "t"]
    assert [row.source for row in mine] == ["same", "half", "lab", "other"]
    assert [row.place for row in mine] == [1, 2, 3, 4]
    same, half, lab, other = mine
    assert (same.similarity, same.flops_same, same.flops_matched) == (1.0, 1.0, 1.0)
    assert half.flops_same == pytest.approx(0.5, abs=1e-3)
    assert 0.5 < lab.similarity < half.similarity < 1
    assert (lab.flops_same, other.flops_matched) == (0.0, 0.0)
    assert "lab" not in {row.target for row in rows}
    write_similarity(rows, tmp_path / "s.csv")
    header = (tmp_path / "s.csv").read_text().splitlines()[0]
    assert header == "target,source,place,similarity,flops_same,flops_matched"


def test_times_of_another_device_play_no_part():
    """Its schedules count as much as is usual here, whatever they took there."""

    def rows(gflops):
        far = [replace(known(28, 128, gflops), timed=False)]
        return rank_sources(
            "ansor", 1, "t", TARGET, sources={"far": far, "near": [known(28, 128, 80.0)]}
        )

    assert rows(0) == rows(20.0) == rows(20000.0)
    both = {row.source: row for row in rows(20000.0)}
    assert both["far"].expected_share == both["near"].expected_share
    assert both["far"].flops_matched == 1.0
