"""Search, warm start, droplet and transfer decide what they decided when this was recorded.

Every strategy runs on a machine that is made up, for a target that is none of this machine, so
that its decisions depend on the code alone. ``tests/data/decisions.json.gz`` holds them; where
they change on purpose, run this file as a script to record them again, and say why in the commit.
"""

import gzip
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from conftest import ROOT, SEARCH, write_onnx
from rivulet.droplet import DropletSettings, read_source
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.replay import ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.search.warm_start import begin_from
from rivulet.transfer import TransferSettings, load_source
from rivulet.tvm_compat import load_tvm
from tuning_runs import run_droplet, run_search, run_transfer

RECORDED = ROOT / "tests/data/decisions.json.gz"
LOGGER = logging.getLogger("test")
THREADS = 2
ALL = 10**6


class Killed(Exception):
    """Stands for a kill between two batches."""


def quiet(*_):
    pass


class Bench(ReplayBench):
    """Answers a number of calls, and then the process is killed."""

    calls, most = 0, ALL

    def measure(self, *arguments, **more):
        """As on any bench, but for the last call."""
        self.calls += 1
        if self.calls > self.most:
            raise Killed
        return super().measure(*arguments, **more)


opened = []


def bench(target, calls):
    one = Bench(surrogate=LoopSurrogate(target, THREADS))
    one.most = calls
    opened.append(one)
    return one


def half_of_the_calls():
    """Half of what the last run has asked of its bench."""
    return opened[-1].calls // 2


def decided(log):
    """What a strategy decided; samples and clocks left out."""
    return [[t.batch, t.kernel, t.strategy, t.candidate] for t in log.trials]


def taken(log, kernels):
    """Name of what each kernel has best in a log."""
    from rivulet.tvm_compat.names import candidate_name

    return {task: candidate_name(module) for task, module in log.best_modules(kernels).items()}


def search(kernels, target, folder, trials, calls=ALL, **more):
    log = TuningLog(folder)
    settings = {**SEARCH, "population": 12, "generations": 2}
    run_search(
        kernels,
        target,
        trials,
        log,
        bench(target, calls),
        settings=settings,
        threads=THREADS,
        **more,
    )
    return log


def droplet(kernels, target, folder, source, calls=ALL):
    walk = TuningLog(folder / "walk")
    known = read_source(source, kernels, folder, True, logger=LOGGER)
    settings = DropletSettings(1, 40, 0.05, 6, 8, 2, 1e-3)
    descents = run_droplet(
        kernels, target, settings, known, walk, bench(target, calls), threads=THREADS
    )
    return walk, descents


def transfer(kernels, target, folder, sources, calls=ALL):
    read = [
        load_source(name, log, known, folder, best=3, logger=LOGGER)
        for name, (log, known) in sources.items()
    ]
    moved, chosen = TuningLog(folder / "transfer"), TuningLog(folder / "chosen")
    settings = TransferSettings(1, 4, 8, 12, 3, 0, 0.05, 4, 1e-3)
    result = run_transfer(
        kernels,
        read,
        target,
        settings,
        (moved, chosen),
        bench(target, calls),
        folder,
        threads=THREADS,
    )
    return moved, chosen, result


def until_killed(run, *arguments, calls):
    with pytest.raises(Killed):
        run(*arguments, calls=calls)


def decide(folder):
    """Run everything, each strategy once more with an interruption; what was decided."""
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
    half = half_of_the_calls()
    found["search of another model"] = decided(search(second, target, folder / "two", 40))
    cut = folder / "cut"
    until_killed(search, first, target, cut, 60, calls=half)
    found["search resumed"] = decided(search(first, target, cut, 60))

    walk, descents = droplet(first, target, folder / "droplet", one.folder)
    half = half_of_the_calls()
    found["droplet"] = decided(walk)
    found["droplet moves"] = [
        [d.kernel.task, d.moves, d.trials, d.finished, [at for at, _ in d.history]]
        for d in descents
    ]
    again = folder / "droplet-again"
    until_killed(droplet, first, target, again, one.folder, calls=half)
    found["droplet resumed"] = decided(droplet(first, target, again, one.folder)[0])

    sources = {"one": (one.folder, first), "two": (folder / "two", second)}
    moved, chosen, result = transfer(aim, target, folder / "moved", sources)
    half = half_of_the_calls()
    found["transfer"] = decided(moved)
    found["transfer takes"] = taken(chosen, aim)
    found["transfer table"] = [
        [row.kernel, row.kind, row.how, row.source, row.source_kernel, row.rank, row.candidate,
         row.valid, row.reason, row.chosen]
        for row in result.rows
    ]  # fmt: skip
    again = folder / "moved-again"
    until_killed(transfer, aim, target, again, sources, calls=half)
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
    # In a process of its own: TVM keeps the number of threads that another test gave it.
    found = tmp_path_factory.mktemp("decisions") / "found.json"
    subprocess.run([sys.executable, __file__, found], check=True)
    return json.loads(found.read_text())


def recorded():
    with gzip.open(RECORDED, "rt") as stream:
        return json.load(stream)


@pytest.mark.parametrize("what", sorted(recorded()) if RECORDED.exists() else [])
def test_decisions_are_those_that_were_recorded(decisions, what):
    assert decisions[what] == recorded()[what]


def test_everything_that_is_decided_is_recorded(decisions):
    assert set(decisions) == set(recorded())


def record(decided):
    RECORDED.parent.mkdir(exist_ok=True)
    with RECORDED.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
        stream.write(json.dumps(decided, indent=0).encode())
    print({key: len(value) for key, value in decided.items()})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        decided_now = decide(Path(scratch))
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(decided_now))
    else:
        record(decided_now)
