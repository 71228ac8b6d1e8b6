"""Search, warm start, droplet and transfer decide what they decided when this was recorded.

Every strategy runs on a machine that is made up, for a target that is none of this machine, so that
its decisions depend on the code alone. ``tests/data/decisions.json.gz`` holds them; where they change
on purpose, run this file as a script to record them again, and say why in the commit.
"""

import gzip
import json
import logging
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from conftest import ROOT, SEARCH, write_onnx
from rivulet.droplet import DropletSettings, read_source, refine_model
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.replay import ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.search import search_model
from rivulet.search.warm_start import begin_from
from rivulet.transfer import TransferSettings, load_source, transfer_schedules
from rivulet.tvm_compat import load_tvm

RECORDED = ROOT / "tests/data/decisions.json.gz"
LOGGER = logging.getLogger("test")
THREADS = 2


class Killed(Exception):
    """Stands for a kill between two batches."""


def quiet(*_):
    pass


def killed_after(trials):
    def report(done, _):
        if done >= trials:
            raise Killed

    return report


def bench(target):
    return ReplayBench(surrogate=LoopSurrogate(target, THREADS))


def decided(log):
    """What a strategy decided; samples and clocks left out."""
    return [[t.batch, t.kernel, t.strategy, t.candidate] for t in log.trials]


def taken(log, kernels):
    """Name of what each kernel has best in a log."""
    from rivulet.tvm_compat.names import candidate_name

    return {task: candidate_name(module) for task, module in log.best_modules(kernels).items()}


def search(kernels, target, folder, trials, report=quiet, **more):
    log = TuningLog(folder)
    settings = {**SEARCH, "population": 32, "generations": 2}
    search_model(
        kernels, target, trials, settings, THREADS, log, bench(target), report, LOGGER, **more
    )
    return log


def droplet(kernels, target, folder, source, trials=40, report=quiet):
    walk = TuningLog(folder / "walk")
    known = read_source(source, kernels, folder, True, LOGGER)
    settings = DropletSettings(1, trials, 0.05, 6, 8, 2, 1e-3)
    descents = refine_model(
        kernels, target, settings, known, THREADS, walk, bench(target), report, LOGGER
    )
    return walk, descents


def transfer(kernels, target, folder, sources, report=quiet):
    opened = [
        load_source(name, log, known, folder, 3, LOGGER) for name, (log, known) in sources.items()
    ]
    moved, chosen = TuningLog(folder / "transfer"), TuningLog(folder / "chosen")
    settings = TransferSettings(1, 4, 8, 12, 3, 0, 0.05, 4, 1e-3)
    result = transfer_schedules(
        kernels, opened, target, "register-tiles", settings, THREADS, moved, chosen, bench(target),
        folder, report, LOGGER,
    )  # fmt: skip
    result.record(chosen, target)
    return moved, chosen, result


def until_killed(run, *arguments, trials):
    with pytest.raises(Killed):
        run(*arguments, report=killed_after(trials))


def decide(folder):
    """Run everything, and each strategy once more with an interruption; returns what was decided."""
    load_tvm(THREADS)
    target = load_tvm().target.Target(
        {"kind": "llvm", "mcpu": "skylake-avx512", "num-cores": THREADS}
    )

    def kernels_of(name, **shape):
        model = prepare_model(write_onnx(folder / f"{name}.onnx", **shape), target)
        return extract_kernels(model, target)

    first, second = kernels_of("first"), kernels_of("second", channels=12, size=10, last="Sigmoid")
    aim = kernels_of("aim", channels=24, size=14)
    found = {}

    one = search(first, target, folder / "one", 60, milestones=(18, 41))
    found["search"] = decided(one)
    found["search of another model"] = decided(search(second, target, folder / "two", 40))
    cut = folder / "cut"
    until_killed(search, first, target, cut, 60, trials=30)
    found["search resumed"] = decided(search(first, target, cut, 60))

    walk, descents = droplet(first, target, folder / "droplet", one.folder)
    found["droplet"] = decided(walk)
    found["droplet moves"] = [
        [d.kernel.task, d.moves, d.trials, d.finished, [at for at, _ in d.history]]
        for d in descents
    ]
    again = folder / "droplet-again"
    until_killed(droplet, first, target, again, one.folder, trials=17)
    found["droplet resumed"] = decided(droplet(first, target, again, one.folder)[0])

    sources = {"one": (one.folder, first), "two": (folder / "two", second)}
    moved, chosen, result = transfer(aim, target, folder / "moved", sources)
    found["transfer"] = decided(moved)
    found["transfer takes"] = taken(chosen, aim)
    found["transfer table"] = [
        [row.kernel, row.kind, row.how, row.source, row.source_kernel, row.rank, row.candidate,
         row.valid, row.reason, row.chosen]
        for row in result.rows
    ]  # fmt: skip
    again = folder / "moved-again"
    calls = iter(range(99))
    with pytest.raises(Killed):
        transfer(aim, target, again, sources, report=lambda *_: killed_after(2)(next(calls), ""))
    moved, chosen, _ = transfer(aim, target, again, sources)
    found["transfer resumed"] = decided(moved)
    found["transfer resumed takes"] = taken(chosen, aim)
    found["transfer from one model"] = decided(
        transfer(aim, target, folder / "single", {"two": sources["two"]})[0]
    )

    warm = folder / "warm"
    warm.mkdir()
    row = next(row for row in result.rows if row.valid == "yes" and row.kind != "default")
    begin_from(folder / "moved/transfer", warm, {(row.kernel, row.candidate)})
    trials = len(TuningLog(warm).trials) + 24
    found["warm start"] = decided(search(aim, target, warm, trials))
    return found


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    return json.loads(json.dumps(decide(tmp_path_factory.mktemp("decisions"))))


def recorded():
    with gzip.open(RECORDED, "rt") as stream:
        return json.load(stream)


@pytest.mark.parametrize("what", sorted(recorded()) if RECORDED.exists() else [])
def test_decisions_are_those_that_were_recorded(decisions, what):
    assert decisions[what] == recorded()[what]


def test_everything_that_is_decided_is_recorded(decisions):
    assert set(decisions) == set(recorded())


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        text = json.dumps(decide(Path(scratch)), indent=0)
    RECORDED.parent.mkdir(exist_ok=True)
    with RECORDED.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
        stream.write(text.encode())
    print({key: len(value) for key, value in json.loads(text).items()})
