"""Models of PyTorch's packages, as both of its exporters write them; and their table."""

from dataclasses import replace

import pytest

from rivulet.conformance.exported.exporting import EXPORTERS
from rivulet.conformance.exported.judging import Row, judge_export
from rivulet.conformance.exported.samples import SAMPLES
from rivulet.conformance.exported.table import export_table
from rivulet.tables import read_own_table, write_table

BY_NAME = {sample.name: sample for sample in SAMPLES}
GOOD = Row("unet", "own", "dynamo", "right", 20, 16, 0.1, 9e-7)
REFUSED = Row("rnn", "own", "dynamo", "refused", 20, message="node 'n' (LSTM): no a|b")
NO_FILE = Row("unet", "own", "torchscript", "no file", message="TypeError: it fails")


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", ["llama", "vit", "dcgan_generator", "super_resolution"])
def test_an_export_comes_through(name, exporter, tmp_path):
    row = judge_export(BY_NAME[name], exporter, tmp_path)
    assert (row.result, row.message) == ("right", "")
    assert row.kernels >= 4
    assert row.opset >= 18
    assert row.error < 1e-4


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path):
    def build():
        raise ValueError("first line\nsecond line")

    row = judge_export(replace(BY_NAME["unet"], build=build), "torchscript", tmp_path)
    assert (row.result, row.message) == ("no file", "ValueError: first line")


def test_an_operator_that_nothing_compiles_is_refused_by_name(tmp_path):
    from torch import nn

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(8, 8)

        def forward(self, x):
            return self.gru(x)[0]

    sample = replace(
        BY_NAME["unet"], name="gru", shapes={"x": (4, 1, 8)}, build=Last, package="transformers"
    )
    row = judge_export(sample, "torchscript", tmp_path)
    assert row.result == "refused"
    assert "(GRU): TVM has no converter for it" in row.message
    assert "\n" not in row.message


def test_rows_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "rows.csv"
    assert read_own_table(Row, path) == []
    write_table(Row, [GOOD, REFUSED], path)
    found = read_own_table(Row, path)
    assert [row.model for row in found] == ["unet", "rnn"]
    assert export_table(found, []) == export_table([GOOD, REFUSED], [])


def test_the_table_has_a_line_for_each_file():
    table = export_table([GOOD, NO_FILE, REFUSED], ["Machine: M"])
    assert "2 files: **1 right, 1 refused by name, 0 wrong, 0 that end in any other way.**" in table
    assert "PyTorch itself fails: 1." in table
    assert "| unet | own | torchscript |  |  |  | no file: TypeError: it fails |" in table
    assert "- Machine: M" in table
    assert "| unet | own | dynamo | 20 | 16 | 0.1 | right (9e-07) |" in table
    assert "| rnn | own | dynamo | 20 |  |  | refused: node 'n' (LSTM): no a\\|b |" in table
