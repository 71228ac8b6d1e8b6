"""The report of two machines, in a real browser."""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import pytest

from conftest import ROOT
from rivulet.benchmark.table import collect_tables
from rivulet.report.page import build_report

sys.path.insert(0, str(ROOT / "benchmarks"))
from comparison.browser import open_browser
from comparison.stub_results import StubResults

MODELS, KERNELS = 3, 6


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    logs = ("ansor", "droplet")
    one, other = (
        StubResults(folder, MODELS, KERNELS, logs, seed, name, fingerprint).write()
        for seed, name, fingerprint in ((0, "local", "0123456789ab"), (1, "lab", "ba9876543210"))
    )
    # Both wrote the table to one place, so that the first is written again.
    first = StubResults(folder / "again", MODELS, KERNELS, logs, 0).write().benchmarks
    second = other.benchmarks.rename(folder / "lab.csv")
    collect_tables([first, second], one.benchmarks)
    both = {
        item.name: getattr(one, item.name) + getattr(other, item.name)
        for item in fields(one)
        if isinstance(getattr(one, item.name), list)
    }
    page = folder / "report.html"
    page.write_text(build_report(replace(one, **both)), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def page(page_file):
    with open_browser() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.told = []
        tab.on("console", lambda message: tab.told.append(message.text))
        tab.on("pageerror", lambda error: tab.told.append(str(error)))
        tab.goto(page_file.as_uri())
        yield tab


def rows(page, table):
    return [
        [" ".join(text.split()) for text in row.locator("th, td").all_text_contents()]
        for row in table.locator("tbody tr").all()
    ]


def test_hardware_stands_side_by_side(page):
    page.get_by_role("link", name="Hardware side by side").click()
    table = page.locator("table", has_text="Latency of each target's fastest method by hardware")
    assert table.is_visible()
    heads = [" ".join(text.split()) for text in table.locator("thead th").all_text_contents()]
    assert heads[0] == "Target"
    assert heads[1].startswith("lab")
    assert "CPU of lab, 2 threads" in heads[1]
    assert heads[4].startswith("local")
    assert "Example CPU, 2 threads" in heads[4]
    assert heads[-1] == "Fastest on"
    found = rows(page, table)
    assert [row[0] for row in found] == [f"model{n:02d}" for n in range(MODELS)]
    for row in found:
        assert len(row) == 8
        times = [float(cell.split()[0]) for cell in (row[1], row[4])]
        names = ["lab", "local"]
        assert row[-1] in (names[times.index(min(times))], "no difference shown")
    assert page.told == []


def test_every_part_tells_the_machines_apart(page):
    settings = page.locator("#heat-setting option").all_text_contents()
    for name in ("lab", "local"):
        assert f"{name}, ansor log, 640 trials" in settings
        assert page.locator("caption", has_text=f"Methods by target: {name}, 640 trials").count()
        assert page.locator("caption", has_text=f"Sources by expected benefit: {name}").count()
    shown = {}
    for name in ("lab", "local"):
        page.select_option("#heat-setting", label=f"{name}, ansor log, 640 trials")
        assert name in page.locator("#heat-caption").text_content()
        shown[name] = page.locator("#heat-table tbody").text_content()
    assert shown["lab"] != shown["local"]
    fastest = page.locator("table", has_text="The fastest method of each target")
    assert len(rows(page, fastest)) == 2 * MODELS


def test_kernels_are_filtered_by_hardware(page):
    filters = page.locator("#kernel-filters select")
    names = [one.locator("option").all_text_contents() for one in filters.all()]
    (number,) = [n for n, options in enumerate(names) if {"lab", "local"} < set(options)]
    filters.nth(number).select_option(label="lab")
    column = page.locator("#kernel-table thead th").all_text_contents()
    place = next(n for n, text in enumerate(column) if text.strip().startswith("Hardware"))
    cells = page.locator(f"#kernel-table tbody tr td:nth-child({place + 1})").all_text_contents()
    assert set(cells) == {"lab"}
    assert page.locator("#kernel-count").text_content().startswith(f"{MODELS * KERNELS * 5} of ")
    filters.nth(number).select_option(index=0)


def test_environments_are_told_apart(page):
    text = page.locator("section[aria-labelledby='environment']").text_content()
    for part in ("0123456789ab", "ba9876543210", "Example CPU", "CPU of lab"):
        assert part in text


def test_a_phone_shows_it(page, page_file):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})
