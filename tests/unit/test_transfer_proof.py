"""What a transfer does where the whole model is wrong with its schedules."""

import contextlib
import logging
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from rivulet.benchmark.in_place import InPlace
from rivulet.errors import UserError
from rivulet.hardware.place import HERE
from rivulet.stages import transfer_proof
from rivulet.stages.transfer_proof import Proof


@dataclass(frozen=True)
class Model:
    place: object = None


class Result:
    """Notes what a proof does with a transfer's result."""

    def __init__(self, wrong):
        self.wrong, self.done = wrong, []

    def replace_wrong(self, settings, bench, logger):
        self.done.append(f"checked on {bench}")
        return self.wrong

    def record(self, log, target):
        self.done.append(log.folder.name)

    def put_back(self, task, reason=""):
        self.done.append(f"{task} put back")

    def is_right(self):
        self.done.append("right")


def log_in(folder, logger):
    return SimpleNamespace(folder=folder)


@pytest.fixture
def proven(tmp_path, monkeypatch):
    """Prove a model that is wrong for some times; returns its proof and what was told."""

    def prove(times, result):
        tried, told = [], []

        def in_place(subject, untuned, chosen, folder, **_):
            tried.append(chosen.folder.name)
            right = len(tried) > times
            return InPlace(0.5, right, [2.0], [1.0], ["b"] if right else []), chosen

        monkeypatch.setattr(transfer_proof, "prove_in_place", in_place)
        monkeypatch.setattr(transfer_proof, "TuningLog", log_in)
        job = SimpleNamespace(tell=told.append, logger=logging.getLogger("test"))
        stage = SimpleNamespace(
            folder=tmp_path, accepted=SimpleNamespace(tolerance=1e-3),
            device=SimpleNamespace(location=HERE),
            bench=lambda job, tuned: contextlib.nullcontext("the bench"),
        )  # fmt: skip
        tuned = SimpleNamespace(kernels=[SimpleNamespace(task=t) for t in "ab"], target="")
        proof = Proof(stage, job, tuned, Model(), untuned=None)
        return proof.prove(result, SimpleNamespace(folder=tmp_path / "chosen")), tried, told

    return prove


def test_a_right_model_keeps_what_is_not_slower(proven):
    result = Result([])
    found, tried, _ = proven(0, result)
    assert tried == ["chosen"]
    assert result.done == ["right", "b put back"]
    assert found["taken"] == "chosen"
    assert found["put_back"] == ["b"]
    assert list(found["steps"]) == ["compiling", "proof", "in place"]


def test_what_is_wrong_alone_is_replaced(proven):
    result = Result(["a"])
    found, tried, told = proven(1, result)
    assert tried == ["chosen", "right-0"]
    assert found["taken"] == "right-0"
    assert result.done[:2] == ["checked on the bench", "right-0"]
    assert "wrong, and replaced: a" in told


def test_no_schedule_is_kept_where_none_is_wrong_alone(proven):
    result = Result(["a"])
    _, tried, told = proven(2, result)
    assert tried == ["chosen", "right-0", "right-1"]
    # Kernels are checked alone once.
    assert result.done.count("checked on the bench") == 1
    assert result.done[2:5] == ["a put back", "b put back", "right-1"]
    assert any(line.startswith("no kernel is wrong when it runs alone") for line in told)


def test_a_model_that_is_wrong_without_any_schedule_is_refused(proven):
    with pytest.raises(UserError, match=r"wrong without any transferred schedule \(5\.0e-01"):
        proven(3, Result(["a"]))
