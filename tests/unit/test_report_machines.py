"""Hardware side by side in the report."""

from pathlib import Path

from test_report import OWN, method_rows

from rivulet.benchmark.table import MethodRow, write_rows
from rivulet.measure.ratios import SAME
from rivulet.provenance import Record
from rivulet.report.blocks import blocks_of
from rivulet.report.machines import side_by_side
from rivulet.tables import read_table


def blocks(folder, **factors):
    """Blocks of the same pair on several machines, each slower by a factor."""
    rows = []
    for hardware, factor in factors.items():
        own = method_rows("alexnet", "resnet18", "ansor", 2.9, factor)
        for row in own:
            row.hardware = hardware
        rows += own
    write_rows(rows, folder / "b.csv")
    return blocks_of(read_table(MethodRow, folder / "b.csv"))


def record(hardware, cpu, threads=2):
    facts = {"environment": {"cpu": cpu, "threads": threads}}
    return Record("benchmark", {"hardware": hardware}, {}, {}, [], "", facts=facts)


def test_one_machine_has_no_side(tmp_path):
    assert side_by_side(blocks(tmp_path, a=1.0), {}) is None


def test_two_machines(tmp_path):
    records = {Path("1"): record("a", "A CPU"), Path("2"): record("b", "B CPU", 8)}
    found = side_by_side(blocks(tmp_path, b=2.0, a=1.0), records)
    assert found.hardware == {"a": "A CPU, 2 threads", "b": "B CPU, 8 threads"}
    (a, b), fastest_on = found.targets["resnet18"]
    assert fastest_on == "a"
    assert (a.best.label, a.best.trials) == ("droplet", 128)
    assert a.best.latency_ms == OWN["resnet18"]["droplet"]
    assert b.best.latency_ms == 2 * OWN["resnet18"]["droplet"]
    assert (a.best.text, a.best.interval) == ("1.41", "1.40–1.42")
    assert a.runtime.latency_ms == OWN["resnet18"]["onnxruntime"]


def test_intervals_that_overlap_show_no_difference(tmp_path):
    found = side_by_side(blocks(tmp_path, a=1.0, b=1.01), {})
    assert found.targets["resnet18"][1] == SAME
    assert found.hardware == {"a": "unknown CPU", "b": "unknown CPU"}


def test_a_target_on_one_machine_only(tmp_path):
    rows = blocks(tmp_path, a=1.0, b=1.0)
    own = [block for block in rows if block.setting.hardware == "a"]
    other = method_rows("resnet18", "alexnet", "ansor", 4.8)
    for row in other:
        row.hardware = "b"
    write_rows(other, tmp_path / "c.csv")
    found = side_by_side([*own, *blocks_of(read_table(MethodRow, tmp_path / "c.csv"))], {})
    (a, b), fastest_on = found.targets["resnet18"]
    assert (a.best is not None, b.best, b.runtime, fastest_on) == (True, None, None, "–")
