"""The table of models: bounds on commands, rows that are kept, the Markdown made of them."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from conftest import ROOT
from rivulet.errors import UserError

sys.path.insert(0, str(ROOT / "scripts"))

import model_table as command

LIMITS = SimpleNamespace(memory_gib=1.0, timeout=60.0)
GOOD = command.ModelRow(
    "alexnet", "1x3x224x224", 61_100_840, 14, 7, 1.43, 0, 2, 0, 1.23e-6, 5.2, 1.25, 3.9, 2.5
)  # fmt: skip
BAD = command.ModelRow("vit_b_16", "1x3x224x224", error="kernels: takes more than 5 s")


def python(text):
    return [sys.executable, "-c", text]


def test_a_command_is_timed_and_its_children_count_as_its_memory():
    child = "x = b'x' * 300_000_000; import time; time.sleep(1)"
    seconds, peak, problem = command.run_bounded(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"), LIMITS
    )
    assert problem == ""
    assert seconds > 1
    assert 0.27 < peak < 0.6


def test_a_command_that_needs_too_much_memory_is_ended():
    limits = SimpleNamespace(memory_gib=0.2, timeout=60.0)
    seconds, _, problem = command.run_bounded(
        python("x = b'x' * 500_000_000; import time; time.sleep(50)"), limits
    )
    assert problem == "needs more than 0.2 GiB of memory"
    assert seconds < 40


def test_a_command_that_takes_too_long_is_ended():
    limits = SimpleNamespace(memory_gib=1.0, timeout=0.5)
    seconds, _, problem = command.run_bounded(python("import time; time.sleep(50)"), limits)
    assert problem == "takes more than 0.5 s"
    assert seconds < 40


def test_a_command_that_fails_says_why_with_its_last_line():
    failing = "print('warning'); raise SystemExit('export alexnet: no such shape (log: /x/y.log)')"
    problem = command.run_bounded(python(failing), LIMITS)[2]
    assert command.reason_in(problem, "alexnet") == "no such shape"
    assert command.run_bounded(python("raise SystemExit(3)"), LIMITS)[2] == "exit status 3"


def test_rows_come_back_and_a_foreign_table_is_refused(tmp_path):
    path = tmp_path / "models.csv"
    command.write_table(command.ModelRow, [GOOD, BAD], path)
    rows = command.read_rows(path)
    assert list(rows) == ["alexnet", "vit_b_16"]
    assert command.markdown(list(rows.values())) == command.markdown([GOOD, BAD])
    path.write_text("model,latency\nalexnet,3\n")
    with pytest.raises(UserError, match="its columns are not those of this command"):
        command.read_rows(path)


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
            [sys.executable, ROOT / "scripts/model_table.py", "--out", path, *arguments],
            capture_output=True, text=True,
        )  # fmt: skip

    before = path.read_bytes()
    done = run("--models", "alexnet")
    assert done.stdout == f"1 of 1 models give kernels; table: {path}\n"
    assert path.read_bytes() == before
    wrong = run("--models", "alexnet", "resnet19")
    assert wrong.returncode == 2
    assert "no classification model of torchvision: resnet19" in wrong.stderr
