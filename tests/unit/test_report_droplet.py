"""What the report says droplet search is worth, and where it says nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_report import MADE, figure, table, tree, words, write_inputs

from rivulet.droplet.study import EffectRow, GainRow
from rivulet.errors import UserError
from rivulet.provenance import read_record, write_record
from rivulet.report.droplet_chart import gain_chart
from rivulet.report.inputs import ReportInputs
from rivulet.report.page import build_report
from rivulet.tables import columns_of, read_table, write_table

SAME = "no difference shown"
SECTION = "What droplet search is worth"
SVG = "{http://www.w3.org/2000/svg}"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/make_report.py"


def gain(
    model: str,
    trials: int,
    ratio: float,
    verdict: str,
    budget: int = 64,
    more_trials: tuple[float, str] | None = None,
    more_seconds: tuple[float, str] | None = None,
) -> GainRow:
    """A row whose intervals are 0.02 to either side; without more search, as at a log's end."""

    def around(value: float | None) -> tuple[float | None, float | None, float | None]:
        if value is None:
            return None, None, None
        return value, round(value - 0.02, 3), round(value + 0.02, 3)

    by_trials, by_seconds = more_trials or (None, ""), more_seconds or (None, "")
    return GainRow(
        "local", model, trials, budget, trials / 2, 17.25, 2.0, round(2 / ratio, 4),
        *around(ratio), verdict,
        trials + budget if more_trials else None, *around(by_trials[0]), by_trials[1],
        trials + 40 if more_seconds else None, *around(by_seconds[0]), by_seconds[1],
        20, 7, 1,
    )  # fmt: skip


GAINS = [
    gain("resnet18", 512, 1.04, "better", 64, (1.03, "better"), (1.00, SAME)),
    gain("resnet18", 1024, 1.05, "better", 64, (1.04, "better")),
    gain("resnet18", 32, 1.5, "better", 64, (0.8, "worse"), (0.7, "worse")),
    gain("resnet18", 32, 1.3, "better", 16, (0.9, "worse"), (0.85, "worse")),
    gain("squeezenet1_1", 32, 1.01, SAME, 32, (0.99, SAME), (0.98, SAME)),
]


def effect(
    target: str, source: str, comparison: str, ratio: float | None, verdict: str, reason: str = ""
) -> EffectRow:
    bounds = (None, None) if ratio is None else (round(ratio - 0.02, 3), round(ratio + 0.02, 3))
    return EffectRow(
        "local", target, source, 128, comparison, "droplet", "ansor", 1.3, 1.2, ratio, *bounds, 5,
        verdict, reason,
    )  # fmt: skip


EFFECTS = [
    effect("resnet18", "", "own log", 1.08, "better", "conv2d <1> 1.4 times as fast"),
    effect("resnet18", "alexnet", "before transfer", 1.05, "better"),
    effect("resnet18", "squeezenet1_1", "before transfer", 0.95, "worse", "dense took another"),
    effect("alexnet", "resnet18", "before transfer", 1.0, SAME),
    effect("resnet18", "alexnet", "after transfer", 1.03, "better"),
    effect("resnet18", "squeezenet1_1", "after transfer", 1.04, "better"),
    effect("alexnet", "resnet18", "after transfer", None, ""),
]


def written_gains(root: Path, rows: list[GainRow] = GAINS) -> Path:
    path = root / "droplet_gain.csv"
    write_table(GainRow, rows, path)
    return path


def written_effects(root: Path, rows: list[EffectRow] = EFFECTS) -> Path:
    path = root / "droplet_effect.csv"
    write_table(EffectRow, rows, path)
    return path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    """Inputs without anything about droplet."""
    return write_inputs(tmp_path_factory.mktemp("bare"), {})


@pytest.fixture(scope="module")
def page(bare: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("droplet")
    paths = {"gains": [written_gains(root)], "effects": [written_effects(root)]}
    return build_report(replace(bare, **paths), MADE)


def section(page: str) -> str:
    """Words of the section."""
    found = [s for s in tree(page).all("section") if s.attributes["aria-labelledby"] == "droplet"]
    return words(found[0]) if found else ""


# --- The tables


def test_columns_are_those_agreed_on() -> None:
    assert ",".join(columns_of(GainRow)) == (
        "hardware,model,ansor_trials,droplet_trials,ansor_seconds,droplet_seconds,ansor_ms,"
        "droplet_ms,gain,gain_low,gain_high,gain_verdict,equal_trials,vs_equal_trials,"
        "vs_equal_trials_low,vs_equal_trials_high,equal_trials_verdict,equal_seconds_trials,"
        "vs_equal_seconds,vs_equal_seconds_low,vs_equal_seconds_high,equal_seconds_verdict,"
        "kernels,kernels_faster,kernels_slower"
    )
    assert ",".join(columns_of(EffectRow)) == (
        "hardware,target,source,trials,comparison,method,baseline,baseline_ms,method_ms,effect,"
        "effect_low,effect_high,repetitions,verdict,reason"
    )


def test_tables_are_read_as_written(tmp_path: Path) -> None:
    assert read_table(GainRow, written_gains(tmp_path)) == GAINS
    assert read_table(EffectRow, written_effects(tmp_path)) == EFFECTS
    assert read_table(GainRow, written_gains(tmp_path, [])) == []


def test_unreadable_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"droplet_gain\.csv: not readable .*workflow makes it"):
        read_table(GainRow, tmp_path / "droplet_gain.csv")
    path = written_effects(tmp_path)
    text = path.read_text()
    path.write_text(text.replace(",reason", ",why", 1))
    with pytest.raises(UserError, match=r"droplet_effect\.csv: not readable .*no column reason"):
        read_table(EffectRow, path)
    path.write_text(text.replace(",better,", ",faster,", 1))
    with pytest.raises(UserError, match=r"droplet_effect\.csv: .*'faster' is none of better"):
        read_table(EffectRow, path)
    path.write_text(text.replace("own log", "own model", 1))
    with pytest.raises(UserError, match=r"droplet_effect\.csv: .*'own model' is none of own log"):
        read_table(EffectRow, path)
    path = written_gains(tmp_path)
    path.write_text(path.read_text().replace(",1.04,", ",fast,", 1))
    with pytest.raises(UserError, match=r"droplet_gain\.csv: .*could not convert .*fast"):
        read_table(GainRow, path)


# --- Around transfers


def test_the_answer_is_in_counts(page: str) -> None:
    assert (
        "Droplet search on local, 128 trials: before the transfer it made 1 of 3 pairs better, "
        f"1 worse, 1 with {SAME}; after the transfer it made 2 of 3 pairs better, 0 worse, 0 with "
        f"{SAME}, 1 not compared; on the target's own log it made 1 of 1 target better, 0 worse, "
        f"0 with {SAME}."
    ) in section(page)


def test_each_pair_has_its_effects_and_their_reasons(page: str) -> None:
    rows = table(page, "Effect of droplet search by pair: local, 128 trials")
    own = "1.08 (1.06–1.10): better conv2d <1> 1.4 times as fast"
    assert rows == [
        ["alexnet", "resnet18", "–", f"1.00 (0.98–1.02): {SAME}", "–"],
        ["resnet18", "alexnet", own, "1.05 (1.03–1.07): better", "1.03 (1.01–1.05): better"],
        [
            *("resnet18", "squeezenet1_1", own),
            "0.95 (0.93–0.97): worse dense took another",
            "1.04 (1.02–1.06): better",
        ],
    ]
    assert "(5 for each comparison)" in section(page)


def test_an_own_log_may_be_compared_in_the_process_of_each_pair(
    bare: ReportInputs, tmp_path: Path
) -> None:
    rows = [
        effect("resnet18", "alexnet", "own log", 1.05, "better"),
        effect("resnet18", "squeezenet1_1", "own log", 1.0, SAME),
    ]
    page = build_report(replace(bare, effects=[written_effects(tmp_path, rows)]))
    assert table(page, "Effect of droplet") == [
        ["resnet18", "alexnet", "1.05 (1.03–1.07): better"],
        ["resnet18", "squeezenet1_1", f"1.00 (0.98–1.02): {SAME}"],
    ]
    assert "on the target's own log it made 1 of 2 pairs better" in section(page)


# --- Against more of Ansor's search


def test_it_says_where_droplet_beat_more_search(page: str) -> None:
    text = section(page)
    assert "had reached better in 4 of 5 cases: 0 worse, 1 with no difference shown." in text
    assert (
        "Droplet beat going on with Ansor's search for as many trials in 2 of 5 comparisons "
        f"(2 worse, 1 with {SAME}): resnet18 after 512 and 1024 trials (64 of droplet)."
    ) in text
    assert (
        "At no trial count is droplet shown to beat going on with Ansor's search for as many "
        f"seconds: of 4 comparisons none better, 2 worse, 2 with {SAME}."
    ) in text


def test_it_says_where_no_log_goes_on(bare: ReportInputs, tmp_path: Path) -> None:
    path = written_gains(tmp_path, [gain("resnet18", 32, 1.5, "better")])
    text = section(build_report(replace(bare, gains=[path])))
    for what in ("trials", "seconds"):
        assert (
            "No log goes far enough to compare droplet to going on with Ansor's search for as "
            f"many {what}."
        ) in text


def test_the_table_has_all_budgets_and_empty_cells(page: str) -> None:
    rows = table(page, "Gain of droplet search by trials: local")
    assert [row[:3] for row in rows] == [
        ["resnet18", "32 16.0 s", "16 17.2 s"],
        ["resnet18", "32 16.0 s", "64 17.2 s"],
        ["resnet18", "512 256 s", "64 17.2 s"],
        ["resnet18", "1024 512 s", "64 17.2 s"],
        ["squeezenet1_1", "32 16.0 s", "32 17.2 s"],
    ]
    assert rows[2][3:] == [
        *("1.04 1.02–1.06", "better", "1.03 1.01–1.05 at 576 trials", "better"),
        *("1.00 0.98–1.02 at 552 trials", SAME, "20", "7", "1"),
    ]
    assert rows[3][7:9] == ["–", "–"]


def test_the_figure_draws_each_model_with_its_largest_budget(page: str) -> None:
    drawn = figure(page, "Gain of droplet by Ansor's trials before it: local")
    texts = {words(text) for text in drawn.all("text")}
    assert {
        "resnet18, 64 droplet trials",
        "squeezenet1_1, 32 droplet trials",
        "against Ansor before droplet",
        "against Ansor gone on for as many trials",
        "against Ansor gone on for as many seconds",
        "trials of Ansor before, logarithmic",
        *("32", "512", "1024"),
    } <= texts
    told = words(drawn.all("desc")[0])
    assert "1.5 (1.48–1.52) at 32 trials, 1.04 (1.02–1.06) at 512 trials" in told
    assert "1.3 (" not in told


# --- The figure as a file


def test_the_figure_is_a_file_of_its_own() -> None:
    text = gain_chart(GAINS, "Gain on <local>")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "Gain on <local>"
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
        pair for i in ids for pair in ((i, ""), ("", i))
    }
    assert gain_chart(GAINS, "Gain on <local>") == text


def test_the_axis_of_trials_is_linear_for_near_counts() -> None:
    near = [gain("resnet18", trials, 1.1, "better") for trials in (100, 200, 400)]
    assert ">trials of Ansor before<" in gain_chart(near, "near")
    assert "logarithmic" not in gain_chart(near, "near")
    far = [*near, gain("resnet18", 401, 1.1, "better")]
    assert ">trials of Ansor before, logarithmic<" in gain_chart(far, "far")
    # 400 and 401 would be printed over each other.
    assert ">401<" in gain_chart(far, "far")
    assert ">400<" not in gain_chart(far, "far")


def test_panels_without_values_are_left_out() -> None:
    text = gain_chart([gain("resnet18", 32, 1.5, "better", 64, (0.8, "worse"))], "some")
    assert "for as many trials" in text
    assert "for as many seconds" not in text
    assert "nothing measured" in gain_chart([], "none")


# --- Where there is nothing to say


def test_the_section_or_its_half_is_left_out(bare: ReportInputs, tmp_path: Path) -> None:
    empty = [written_gains(tmp_path, [])]
    for inputs in (bare, replace(bare, gains=empty)):
        page = build_report(inputs)
        assert SECTION not in page
        assert 'href="#droplet"' not in page
    gains = build_report(replace(bare, gains=[written_gains(tmp_path)]))
    assert "Against more of Ansor's search" in section(gains)
    assert "Around transfers" not in section(gains)
    effects = build_report(replace(bare, effects=[written_effects(tmp_path)]))
    assert "Around transfers" in section(effects)
    assert "Against more of Ansor's search" not in section(effects)
    assert not tree(effects).all("svg")


def test_the_page_with_the_section_is_sound(page: str) -> None:
    assert [words(a) for a in tree(page).all("a")].count(SECTION) == 1
    assert not re.search(r"https?://|<img|xmlns", page.partition("<script")[0])
    assert "<1>" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "droplet_gain.csv" in page
    assert "droplet_effect.csv" in page


def test_the_script_finds_the_tables_by_the_configuration(
    bare: ReportInputs, tmp_path: Path
) -> None:
    """And its record names what it has read."""
    place = tmp_path / "results/local"
    (place / "kernels").mkdir(parents=True)
    shutil.copyfile(bare.benchmarks, tmp_path / "results/benchmarks.csv")
    shutil.copyfile(bare.kernels[0], place / "kernels/resnet18.csv")
    tables = [tmp_path / "results/benchmarks.csv", written_gains(place)]
    for path in tables:
        write_record(path.with_suffix(".json"), "collect", {}, {}, inputs=[], outputs=[path])
    config = {"models": {"resnet18": {"torchvision": "resnet18"}}, "pairs": [], "pool": False}
    page, record = tmp_path / "results/report.html", tmp_path / "results/report.json"
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    subprocess.run(
        [sys.executable, SCRIPT, "--configfile", "config.yaml"],
        check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    assert "Against more of Ansor's search" in section(page.read_text())
    records = {str(path.with_suffix(".json").relative_to(tmp_path)) for path in tables}
    assert set(read_record(record).inputs) == {*records, "results/local/kernels/resnet18.csv"}
