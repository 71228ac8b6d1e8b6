"""The pins, the conda environment made from them, and the creation of .venv."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
REQUIREMENTS = ENVS / "requirements.txt"
PIN_LINES = [
    line.split("#", 1)[0].strip()
    for line in REQUIREMENTS.read_text().splitlines()
    if line.split("#", 1)[0].strip()
]
PINS = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in PIN_LINES}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


create_env = load(ENVS / "create_env.py")


# --- The pins


def test_every_line_pins_one_version() -> None:
    for line in PIN_LINES:
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        assert not specifier.version.endswith(".*"), line
        # A local label exists in some indexes only.
        assert Version(specifier.version).local is None, line
        assert requirement.marker is None, line
        assert not requirement.extras, line


def test_no_package_is_pinned_twice() -> None:
    assert len(PINS) == len(PIN_LINES)


def test_the_installer_reads_the_same_pins() -> None:
    assert create_env.read_pins(REQUIREMENTS.read_text()) == PIN_LINES
    assert {create_env.name_of(line) for line in PIN_LINES} == PINS.keys()


def installed_versions() -> dict[str, str]:
    found = importlib.metadata.distributions()
    return {canonicalize_name(d.metadata["Name"]): d.version for d in found}


def test_everything_installed_is_pinned_at_its_version() -> None:
    wrong = {
        name: version
        for name, version in installed_versions().items()
        if name not in ("pip", "rivulet")
        and not create_env.comes_with_torch(name)
        and (name not in PINS or Version(PINS[name]) != Version(Version(version).public))
    }
    assert not wrong, "installed, but not pinned so in envs/requirements.txt; run: make env"


def test_everything_pinned_is_installed() -> None:
    assert not PINS.keys() - installed_versions().keys()


def test_every_transitive_pin_is_needed_by_a_direct_one() -> None:
    text = REQUIREMENTS.read_text()
    direct, _, transitive = text.partition("# --- Transitive")
    assert transitive
    needed = set(map(create_env.name_of, create_env.read_pins(direct)))
    waiting = list(needed)
    while waiting:
        for needs in importlib.metadata.requires(waiting.pop()) or []:
            requirement = Requirement(needs)
            name = canonicalize_name(requirement.name)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and name in PINS and name not in needed:
                needed.add(name)
                waiting.append(name)
    assert not PINS.keys() - needed, "pinned, but nothing asks for it"


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_cuda_libraries_are_left_to_torch() -> None:
    names = ["xgboost", "numpy", "nvidia-nccl-cu13", "cuda-bindings", "triton"]
    assert list(filter(create_env.comes_with_torch, names)) == names[2:]


# --- The conda environment


def test_conda_environment_is_up_to_date() -> None:
    command = [sys.executable, str(ENVS / "make_conda_env.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (ENVS / "rivulet.yaml").read_text()


def test_conda_environment_holds_the_pins_themselves() -> None:
    environment = yaml.safe_load((ENVS / "rivulet.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    *packages, pip = environment["dependencies"]
    assert packages[0] == "python=3.11"
    assert {"pip", "binutils"} <= set(packages)
    assert pip == {"pip": PIN_LINES}


# --- What is checked before an installation


@pytest.mark.parametrize("version", [(3, 7, 1), (3, 10, 13), (3, 12, 0), (4, 11, 0)])
def test_another_python_is_named_with_the_way_out(version: tuple[int, ...]) -> None:
    problem = create_env.problem_with_python(version)
    assert "this is Python " + ".".join(map(str, version)) in problem
    assert "make env PYTHON=/path/to/python3.11" in problem


def test_the_right_python_is_fine() -> None:
    assert create_env.problem_with_python((3, 11, 0)) is None
    assert create_env.problem_with_python(sys.version_info) is None


def test_create_env_is_readable_to_older_pythons() -> None:
    ast.parse((ENVS / "create_env.py").read_text(), feature_version=(3, 7))


def other_pythons() -> list[str]:
    """Commands of this machine that run a Python other than 3.11."""
    found = []
    for minor in (7, 8, 9, 10, 12, 13, 14):
        path = shutil.which(f"python3.{minor}")
        if path and not subprocess.run([path, "-c", "pass"], capture_output=True).returncode:
            found.append(path)
    return found


def test_every_other_python_here_is_told_so(tmp_path: Path) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("no Python but 3.11 on this machine")
    script = project(tmp_path, "")
    for python in pythons:
        done = subprocess.run([python, script], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert one_line(done.stderr).startswith("error: Rivulet needs Python 3.11, but")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_linux_machines_are_fine(machine: str) -> None:
    assert create_env.problem_with_machine("Linux", machine) is None


@pytest.mark.parametrize(
    ("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "riscv64")]
)
def test_other_machines_are_named(system: str, machine: str) -> None:
    assert f"{system} on {machine}" in create_env.problem_with_machine(system, machine)


def test_the_compiler_here_links() -> None:
    assert create_env.problem_with_linking() is None


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    problem = create_env.problem_with_linking()
    assert problem.startswith("the compiler 'no-such-compiler' is not on PATH")
    assert problem.endswith("install it with: apt install gcc")


def test_a_compiler_that_cannot_link_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text("#!/bin/sh\necho 'ld: cannot find crti.o' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    problem = create_env.problem_with_linking()
    assert "(ld: cannot find crti.o)" in problem
    assert "apt install gcc binutils libc6-dev" in problem


def test_full_disk_is_named_with_both_numbers() -> None:
    assert create_env.problem_with_disk(Path("/data"), 4.0, 4.0) is None
    problem = create_env.problem_with_disk(Path("/data"), 3.14, 4.0)
    assert problem.startswith("/data has 3.1 GB of free disk, but the environment needs 4 GB")


# --- The command itself, on a small project of its own that needs no package index

BACKEND = """
import zipfile


def get_requires_for_build_editable(config_settings=None):
    return []


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "rivulet-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        info = "rivulet-0.dist-info/"
        wheel.writestr("rivulet.py", "")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: rivulet\\nVersion: 0\\n")
        wheel.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        )
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nrivulet = rivulet:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


def project(folder: Path, pins: str) -> str:
    """Lay out a checkout with these pins, and return the path of its script."""
    (folder / "envs").mkdir(parents=True)
    (folder / "envs" / "requirements.txt").write_text(pins)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return shutil.copy(ENVS / "create_env.py", folder / "envs")


def offer(folder: Path, name: str, version: str) -> None:
    """Put a package with one empty module into a folder of wheels."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info/"
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(
            info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(info + "RECORD", "")


def call(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script with pip confined to the folder of wheels beside the checkout."""
    root = Path(script).parents[1]
    settings = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PIP_")},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (root / "wheels").as_uri(),
        **variables,
    }
    return subprocess.run(
        [sys.executable, script], env=settings, capture_output=True, text=True, check=False
    )


def one_line(text: str) -> str:
    assert "Traceback" not in text
    (line,) = text.splitlines()
    return line


def in_venv(root: Path, code: str) -> str:
    done = subprocess.run(
        [str(root / ".venv/bin/python"), "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_no_compiler_on_path(tmp_path: Path) -> None:
    script = project(tmp_path / "checkout", "")
    (tmp_path / "bin").mkdir()
    done = call(script, PATH=str(tmp_path / "bin"), CC="", CXX="")
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert line.startswith("error: no C compiler is on PATH")
    assert "apt install gcc" in line
    assert not (tmp_path / "checkout" / ".venv").exists()


def test_pips_own_settings_hold_but_none_that_leads_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    variables = create_env.clean_environment()
    assert variables["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert "PIP_TARGET" not in variables


def test_missing_requirements_file_is_named(tmp_path: Path) -> None:
    script = project(tmp_path, "")
    (tmp_path / "envs" / "requirements.txt").unlink()
    done = call(script)
    assert done.returncode == 2
    assert one_line(done.stderr).endswith("requirements.txt: No such file or directory")


@pytest.mark.slow
def test_an_environment_is_made_kept_updated_and_repaired(tmp_path: Path) -> None:
    root = tmp_path / "a checkout"
    wheels = root / "wheels"
    script = project(root, "rivulet-one==1.0  # first\nrivulet_two==1.0\n")
    pins = root / "envs" / "requirements.txt"
    for version in ("1.0", "2.0"):
        offer(wheels, "rivulet_one", version)
    offer(wheels, "rivulet_two", "1.0")

    first = call(script)
    assert first.returncode == 0, first.stderr
    assert in_venv(root, "import rivulet, rivulet_two, rivulet_one as m; print(m.version)") == "1.0"
    assert "Successfully installed" in first.stdout

    second = call(script)
    assert (second.returncode, second.stdout) == (0, ".venv is up to date\n")

    # An environment of before there was a command gets it.
    command = root / ".venv/bin/rivulet"
    command.unlink()
    assert call(script).returncode == 0
    assert command.exists()

    # A pin that cannot be had: pip's own words, a last line, and no stamp.
    pins.write_text("rivulet-one==3.0\n")
    failed = call(script)
    assert failed.returncode == 1
    *pips, last = failed.stderr.splitlines()
    assert "No matching distribution found for rivulet-one==3.0" in "\n".join(pips)
    assert last.startswith("error: '")
    assert last.endswith("failed (status 1, its reason is above; 'make env' starts again)")
    assert not list((root / ".venv").glob(".rivulet-*"))

    # Without a stamp it starts again from nothing.
    pins.write_text("rivulet-one==1.0\nrivulet-two==1.0\n")
    again = call(script)
    assert again.returncode == 0, again.stderr
    assert "creating .venv" in again.stdout

    # Other pins: what changed is updated, what is gone is removed, the rest stays.
    pins.write_text("rivulet-one==2.0\n")
    update = call(script)
    assert update.returncode == 0, update.stderr
    assert "creating" not in update.stdout
    assert "removing what is pinned no more:" in update.stdout
    assert "rivulet-two" in update.stdout
    assert in_venv(root, "import rivulet_one as m; print(m.version)") == "2.0"
    find = "import importlib.util as u; print(u.find_spec('rivulet_two'))"
    assert in_venv(root, find) == "None"

    # The stamp is there, but Python is gone.
    (root / ".venv" / "bin" / "python").unlink()
    repaired = call(script)
    assert repaired.returncode == 0, repaired.stderr
    assert in_venv(root, "import rivulet_one as m; print(m.version)") == "2.0"

    # A checkout that has moved: the commands in .venv/bin name the old place.
    (stamp,) = (root / ".venv").glob(".rivulet-*")
    assert create_env.venv_state(root / ".venv", stamp.name) == "nothing"
    moved = tmp_path / "moved"
    root.rename(moved)
    assert create_env.venv_state(moved / ".venv", stamp.name) == "create"


# --- make and the CI script


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, whether or not a make runs these tests."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHON")
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in outer},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_lists_every_target() -> None:
    done = make()
    assert done.returncode == 0
    makefile = (ROOT / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in targets.split():
        assert re.search(rf"^  {target} +\w", done.stdout, re.MULTILINE), target


def test_make_without_that_python_says_so() -> None:
    done = make("env", "PYTHON=/no/python3.11")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no Python found at '/no/python3.11'; install it with:")


def test_make_clean_keeps_results_and_snakemake_metadata(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = ["results/demo/best.json", "results/__pycache__/x", ".snakemake/metadata/x"]
    removed = [".venv/bin/python", "logs/env.log", "src/rivulet/__pycache__/x", ".ruff_cache/x"]
    for name in kept + removed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    done = make("-j4", "clean", folder=tmp_path)
    assert done.returncode == 0
    assert [name for name in kept + removed if (tmp_path / name).exists()] == kept
    assert "kept: results/" in done.stdout
    assert "by hand" in done.stdout


def test_ci_script_is_executable_and_strict() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
