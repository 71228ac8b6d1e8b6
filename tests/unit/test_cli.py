"""The command ``rivulet``: what it lists, how it fails, and how little it loads."""

import importlib
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT
from rivulet.cli.commands import COMMANDS
from rivulet.cli.main import main
from rivulet.errors import UserError


def test_help_lists_every_command_with_a_line(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS.values():
        assert f"  {command.name} " in text
        assert command.what in text
    assert max(map(len, text.splitlines())) <= 80
    assert main([]) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_a_wrong_command_is_one_line_with_the_nearest(capsys):
    assert main(["adpot"]) == 2
    assert main(["zzz"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "rivulet: 'adpot' is no command; did you mean 'adopt'?",
        "rivulet: 'zzz' is no command; 'rivulet --help' lists them",
    ]


def test_what_a_user_can_mend_is_told_without_a_traceback(capsys, monkeypatch):
    def fail(arguments):
        raise UserError(f"{arguments[0]}: not there")

    monkeypatch.setattr(importlib.import_module("rivulet.cli.watch"), "main", fail)
    assert main(["watch", "x"]) == 1
    assert capsys.readouterr().err == "error: x: not there\n"


def test_help_loads_nothing_that_it_does_not_need():
    code = "from rivulet.cli.main import main; import sys; main(['--help']); print(*sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {code}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.splitlines()[-1].split() if name.startswith("rivulet")}
    assert loaded == {
        "rivulet", "rivulet.cli", "rivulet.cli.main", "rivulet.cli.commands", "rivulet.errors",
    }  # fmt: skip


def test_the_installed_command_is_this_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["rivulet"].partition(":")
    assert getattr(importlib.import_module(module), function) is main


def test_every_script_belongs_to_a_rule():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    for path in (ROOT / "scripts").glob("[!_]*.py"):
        assert f'command("{path.stem}")' in rules, path.name
