"""The report in a real browser: switches, filters, saving; offline, light, dark, small, large."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from rivulet.report.page import build_report

sys.path.insert(0, str(ROOT / "benchmarks"))
from comparison.browser import open_browser
from comparison.stub_results import StubResults

MODELS, KERNELS = 4, 60


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    inputs = StubResults(folder, MODELS, KERNELS, ("ansor", "droplet"), 0).write()
    schedules = folder / "local/libraries/ansor-640/model00.html"
    schedules.parent.mkdir(parents=True)
    schedules.write_text("<h2 id='fused_kernel0'>here</h2>")
    page = folder / "report.html"
    page.write_text(build_report(inputs), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser, page_file):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.told, tab.asked = [], []
    tab.on("console", lambda message: tab.told.append(message.text))
    tab.on("pageerror", lambda error: tab.told.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(page_file.as_uri())
    yield tab
    context.close()


def cells(page, table):
    return page.eval_on_selector_all(
        f"{table} tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent.trim()))"
    )


def test_it_loads_without_an_error_and_asks_for_nothing(page, page_file):
    assert page.told == []
    assert page.asked == [page_file.as_uri()]
    assert page.title() == "Rivulet report"


def test_the_heat_map_is_switched_by_setting_and_quantity(page):
    caption = page.locator("#heat-caption")
    assert caption.text_content() == "Share of Ansor's speedup: local, ansor log, 640 trials"
    sources = MODELS + 1  # and the pool
    assert page.locator("#heat-figure rect").count() == MODELS * (sources - 1)
    before = cells(page, "#heat-table")
    assert len(before) == sources
    page.select_option("#heat-quantity", label="Latency in ms")
    assert caption.text_content() == "Latency in ms: local, ansor log, 640 trials"
    assert cells(page, "#heat-table") != before
    page.select_option("#heat-setting", label="local, ansor log, 640 trials, + droplet")
    assert caption.text_content() == "Latency in ms: local, ansor log, 640 trials, + droplet"
    page.select_option("#heat-quantity", label="Share of FLOPs covered")
    assert {text for row in cells(page, "#heat-table") for text in row[1:]} == {"100 %", "–"}
    assert page.told == []


def test_kernels_are_filtered_sorted_and_shown_in_parts(page):
    count = page.locator("#kernel-count")
    whole = MODELS * KERNELS * 5  # untuned and four kinds of schedules
    assert count.text_content() == f"{whole} of {whole} rows match; 100 are shown."
    assert len(cells(page, "#kernel-table")) == 100
    page.click("#kernel-more")
    assert len(cells(page, "#kernel-table")) == 200
    page.select_option("#kernel-filters select[data-column='1']", label="model01")
    page.select_option("#kernel-filters select[data-column='2']", label="droplet")
    rows = cells(page, "#kernel-table")
    assert len(rows) == KERNELS
    assert {(row[1], row[2]) for row in rows} == {("model01", "droplet")}
    page.fill("#kernel-filters input", "fused_kernel5")
    rows = cells(page, "#kernel-table")
    assert {row[0] for row in rows} == {f"fused_kernel5{end}" for end in ("", *range(10))}
    latency = page.locator("#kernel-table thead th:nth-child(8) button")
    for sign in (1, -1):
        latency.click()
        found = [float(row[7]) for row in cells(page, "#kernel-table")]
        assert found == sorted(found, reverse=sign < 0)
    page.fill("#kernel-filters input", "nothing like it")
    assert count.text_content().startswith("0 of ")
    assert page.told == []


def test_a_kernel_leads_to_its_schedule(page):
    page.select_option("#kernel-filters select[data-column='1']", label="model00")
    page.select_option("#kernel-filters select[data-column='2']", label="ansor")
    page.locator("#kernel-table a", has_text="fused_kernel0").first.click()
    assert page.url.endswith("local/libraries/ansor-640/model00.html#fused_kernel0")


def test_tables_are_sorted_by_a_click_on_a_head(page):
    table = page.locator("table.sortable", has_text="Sources by expected benefit")
    head = table.locator("thead th").nth(1)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    texts = table.locator("tbody tr td:nth-child(2)").all_text_contents()
    assert texts == sorted(texts)


def saved(page, name):
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).first.click()
    return download.value


def test_figures_are_saved_as_svg(page):
    file = saved(page, "Save as SVG: model00: local, 640 trials")
    assert file.suggested_filename == "model00-local-640-trials.svg"
    text = Path(file.path()).read_text()
    assert text.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert 'fill="#ffffff"' in text


def test_tables_are_saved_as_csv(page):
    file = saved(page, "Save as CSV: Models and their tunable kernels")
    rows = list(csv.reader(io.StringIO(Path(file.path()).read_text())))
    assert rows[0][:3] == ["Model", "Hardware", "Kernels"]
    assert [row[0] for row in rows[1:]] == [f"model{n:02d}" for n in range(MODELS)]
    grouped = saved(page, "Save as CSV: Methods by target: local, 640 trials")
    rows = list(csv.reader(io.StringIO(Path(grouped.path()).read_text())))
    assert rows[0][0] == "Group"
    assert {row[0] for row in rows[1:]} == {f"model{n:02d}" for n in range(MODELS)}
    assert len({len(row) for row in rows}) == 1
    page.select_option("#kernel-filters select[data-column='1']", label="model02")
    kernels = saved(page, "Save all that match as CSV")
    rows = list(csv.DictReader(io.StringIO(Path(kernels.path()).read_text())))
    assert len(rows) >= KERNELS * 4
    assert {row["target"] for row in rows} == {"model02"}


def test_everything_is_reached_by_the_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.focus("#heat-quantity")
    page.keyboard.press("ArrowDown")
    assert page.locator("#heat-caption").text_content().startswith("Latency in ms")
    head = page.locator("#kernel-table thead th button").first
    head.focus()
    page.keyboard.press("Enter")
    assert page.locator("#kernel-table thead th").first.get_attribute("aria-sort") == "ascending"
    # Each control has a name that a screen reader says.
    unnamed = page.eval_on_selector_all(
        "select, input, button",
        "all => all.filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length",
    )
    assert unnamed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_it_fits_and_is_legible_in_light_and_dark_on_a_screen_and_a_phone(
    browser, page_file, tmp_path, scheme, width, height
):
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page_file.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    back, text = tab.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color] }"
    )
    assert contrast(back, text) > 7
    tab.screenshot(path=str(tmp_path / f"{scheme}-{width}.png"))
    assert (tmp_path / f"{scheme}-{width}.png").stat().st_size > 10_000
    context.close()


def contrast(first, second):
    """Contrast of two colours as WCAG defines it."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        parts = [p / 12.92 if p <= 0.04 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_without_scripts_the_tables_and_figures_are_there(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page_file.as_uri())
    assert tab.locator(".static figure").first.is_visible()
    assert not tab.locator(".switched").first.is_visible()
    assert tab.get_by_text("This table needs JavaScript").is_visible()
    context.close()
