"""The table of models: rows that are kept, and the Markdown made of them."""

import subprocess
import sys

import pytest

from rivulet.cli import model_table as command
from rivulet.errors import UserError

GOOD = command.ModelRow(
    "alexnet", "1x3x224x224", 61_100_840, 14, 7, 1.43, 0, 2, 0, 1.23e-6, 5.2, 1.25, 3.9, 2.5
)  # fmt: skip
BAD = command.ModelRow("vit_b_16", "1x3x224x224", error="kernels: takes more than 5 s")


def test_the_reason_is_without_label_and_log():
    problem = "export alexnet: no such shape (log: /x/y.log)"
    assert command.reason_in(problem, "alexnet") == "no such shape"


def test_rows_come_back_and_a_foreign_table_is_refused(tmp_path):
    path = tmp_path / "models.csv"
    command.write_table(command.ModelRow, [GOOD, BAD], path)
    rows = command.read_own_table(command.ModelRow, path)
    assert [row.model for row in rows] == ["alexnet", "vit_b_16"]
    assert command.markdown(rows) == command.markdown([GOOD, BAD])
    path.write_text("model,latency\nalexnet,3\n")
    with pytest.raises(UserError, match="its columns are not those of this command"):
        command.read_own_table(command.ModelRow, path)


def test_the_markdown_stands_between_its_marks(tmp_path):
    page = tmp_path / "models.md"
    page.write_text(f"before\n{command.BEGIN}\nold\n{command.END}\nafter\n")
    command.put_between(page, command.BEGIN, command.END, command.markdown([GOOD, BAD]))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "1 of 2 models give kernels; the outputs of 1 are within 0.0001 of" in text
    assert (
        "| alexnet | 1x3x224x224 | 61.1 | 14 | 7 | 1.43 | 0 | 2 | 0 | 1.2e-06 | 5 | 4 | 2.5 |"
        in text
    )
    assert "| vit_b_16 | kernels: takes more than 5 s |" in text
    command.put_between(page, command.BEGIN, command.END, command.markdown([GOOD]))
    assert "vit_b_16" not in page.read_text()
    page.write_text("no place")
    with pytest.raises(UserError, match="has no place for the table"):
        command.put_between(page, command.BEGIN, command.END, command.markdown([GOOD]))


def test_finished_rows_are_kept_and_unknown_models_refused(tmp_path):
    path = tmp_path / "models.csv"
    command.write_table(command.ModelRow, [GOOD], path)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "rivulet", "model-table", "--out", path, *arguments],
            capture_output=True, text=True,
        )  # fmt: skip

    before = path.read_bytes()
    done = run("--models", "alexnet")
    assert done.stdout == f"1 of 1 models give kernels; table: {path}\n"
    assert path.read_bytes() == before
    wrong = run("--models", "alexnet", "resnet19")
    assert wrong.returncode == 2
    assert "no classification model of torchvision: resnet19" in wrong.stderr
