"""Paths below results/: made, read back, and made in one place only."""

import ast
import re
from pathlib import Path

import pytest

from conftest import ROOT
from rivulet import paths
from rivulet.methods import METHODS, TRANSFER, TRANSFER_DROPLET, method_of
from rivulet.paths import Artefact, parse, split_pair

OF_ALL = {
    "hardware": "local", "model": "a.b-c", "own_log": "droplet", "trials": 80, "moved": "transfer",
    "log_kind": "ansor", "source": "x-y", "target": "a.b-c",
}  # fmt: skip


def test_a_pattern_is_filled_in_part_by_part():
    log = paths.MOVED_LOG.at(moved="transfer-droplet", trials=80)
    assert log == "results/{hardware}/transfer-droplet/{log_kind}-80/{source}-to-{target}"
    assert log.at(source="pool", target="{model}").endswith("/pool-to-{model}")
    assert paths.OWN_LOG.text_log == "logs/{hardware}/logs/{own_log}-{trials}/{model}.log"
    place = (paths.ROOFLINE + ".csv").below(Path("/r"), hardware="h")
    assert place == Path("/r/h/roofline.csv")


@pytest.mark.parametrize(("kind", "pattern"), paths._KINDS)
@pytest.mark.parametrize("root", ["", "/some/results/", "docs/reference/", "transfer/ansor-8/"])
@pytest.mark.parametrize("bare", [True, False])
def test_every_path_is_read_back(kind, pattern, root, bare):
    rest = "/trials.csv" if kind in ("log", "package") else ".json"
    place = root + pattern.at(**OF_ALL).removeprefix("results/") + ("" if bare else rest)
    found = parse(place)
    assert found is not None
    assert (found.kind, found.pattern) == (kind, pattern)
    for key in re.findall(r"{(\w+)}", pattern):
        attribute = {"own_log": "method", "moved": "method", "target": "model"}.get(key, key)
        assert getattr(found, attribute) == OF_ALL[key], key


def test_what_a_log_is_of():
    log = paths.log_of(method_of(TRANSFER_DROPLET)).at(**OF_ALL) / paths.TRIALS
    pattern = paths.MOVED_LOG
    assert parse(log) == Artefact(
        "log", pattern, "local", TRANSFER_DROPLET, "ansor", 80, "a.b-c", "x-y"
    )
    assert parse(paths.log_of(method_of(TRANSFER)).at(**OF_ALL)).method == TRANSFER
    assert parse("results/local/compiled.csv") is None
    assert parse("results/local/logs/unknown-80/a/trials.csv") is None
    assert parse("results/local/logs/ansor-080/a/trials.csv") is None


def test_a_transfer_has_one_record_for_its_log_and_its_model():
    own, moved = (paths.compiled_record_of(method_of(one)) for one in ("droplet", TRANSFER))
    assert own == "results/{hardware}/libraries/droplet-{trials}/{model}.json"
    assert moved.endswith("/transfer/{log_kind}-{trials}/{source}-to-{target}/log.json")
    untuned = paths.compiled_record_of(method_of("untuned"))
    assert untuned == "results/{hardware}/libraries/untuned/{model}.json"


def test_the_text_log_of_what_a_job_makes():
    def log_of(below):
        return str(paths.text_log_of(f"results/h/{below}")).removeprefix("logs/h/")

    moved, log = "transfer/ansor-8/a-to-b", "logs/ansor-8/a.b.log"
    assert log_of("logs/ansor-8/a.b/trials.csv") == log_of("logs/ansor-8/a.b/database.json") == log
    # A transfer compiles its model itself.
    assert log_of("libraries/transfer-ansor-8/a-to-b.so") == f"{moved}.log"
    compiled = "libraries/transfer-droplet-ansor-8/a-to-b"
    assert log_of(f"{compiled}.html") == f"{compiled}.log"
    assert log_of("benchmarks/ansor-8/kernels/a-to-b.csv") == "benchmarks/ansor-8/a-to-b.log"
    assert log_of("library/a-ansor-8/manifest.json") == "library/a-ansor-8.log"
    assert paths.text_log_of("results/report.html") == Path("logs/report.log")
    assert paths.text_log_of("results/h/other.txt") is None


def test_every_rule_logs_where_its_outputs_say():
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    logs = re.findall(r"(?m)^    log:\n        (.+),$", text)
    assert len(logs) == text.count("\n    log:")
    assert [log for log in logs if not log.endswith(".text_log")] == []


def test_a_pair_is_split_at_its_middle():
    assert split_pair("x-y-to-a.b-c") == ("x-y", "a.b-c")
    assert split_pair("alone") == ("alone", "")


def test_folders_are_the_methods_own():
    folders = [one.folder for one in METHODS if one.has_log]
    assert len(folders) == len(set(folders))


# Text for people may name a path; what is done with paths may not.
TOLD = {
    "src/rivulet/config/values.py",  # what a name may not have in it
    "src/rivulet/report/inputs.py",  # what a path should look like
    "src/rivulet/workflow/elsewhere.py",
    "src/rivulet/workflow/merging.py",
    "src/rivulet/cli/keep.py",  # commands that the page shows
}
A_PATH = re.compile(
    r"results/\{|-to-|"
    r"(?:^|[/}])(?:logs|transfer|transfer-droplet|libraries|library|benchmarks|journals|kernels"
    r"|models|droplet_gain|droplet_effect)/[^ ]*\{"
)


def made_by_hand(path: Path) -> list[str]:
    """Texts of a file that are paths below the results with a part to fill in."""
    text = path.read_text()
    if path.suffix == ".py":
        return [one for one in strings(ast.parse(text)) if A_PATH.search(one)]
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in lines if A_PATH.search(line)]


def strings(tree: ast.AST) -> list[str]:
    """All texts but docstrings, what is filled in as ``{}``."""
    documented = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    skipped, found = documented | inside, []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            found.append("".join(parts))
        elif isinstance(getattr(node, "value", None), str) and id(node) not in skipped:
            found.append(node.value)
    return found


def test_paths_below_the_results_are_made_in_one_place():
    files = [
        *(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "rules").glob("*.smk"), ROOT / "Snakefile",
    ]  # fmt: skip
    found = {
        str(path.relative_to(ROOT)): by_hand
        for path in files
        if "work" not in path.relative_to(ROOT).parts and (by_hand := made_by_hand(path))
    }
    assert found.pop("src/rivulet/paths.py")
    assert {place: texts for place, texts in found.items() if place not in TOLD} == {}
