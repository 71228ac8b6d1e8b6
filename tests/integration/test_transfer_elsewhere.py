"""A log of another device lends schedules and their order, and none of its times."""

import json
import logging

import pytest

from conftest import MEASURE, write_onnx
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.records import TuningLog
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.transfer import TransferSettings, load_source
from rivulet.transfer import strategy as transfer_module
from rivulet.transfer.candidates import KernelCandidates
from rivulet.transfer.sources import made_here
from tuning_runs import run_search, run_transfer

LOGGER = logging.getLogger("test")


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def searched(kernels, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        run_search(kernels, target, 20, TuningLog(folder / "journal"), bench)
    publish(folder / "journal", folder / "log")
    return folder / "log"


@pytest.fixture(scope="module")
def distorted(searched, tmp_path_factory):
    """The same log with other times: each kernel's are stretched, unlike the others', in order."""
    folder = tmp_path_factory.mktemp("distorted")
    (folder / WORKLOADS).write_bytes((searched / WORKLOADS).read_bytes())
    lines = []
    for line in (searched / RECORDS).read_text().splitlines():
        workload, (trace, seconds, *more) = json.loads(line)
        stretched = [s * 10.0 ** (4 - 3 * workload) if s < 1e9 else s for s in seconds]
        lines.append(json.dumps([workload, [trace, stretched, *more]]))
    (folder / RECORDS).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def targets(target, tmp_path_factory):
    path = write_onnx(tmp_path_factory.mktemp("wide") / "wide.onnx", channels=12, size=10)
    return extract_kernels(prepare_model(path, target), target)


def order(folder, kernels, targets, target, scratch, timed):
    """Codes of each kernel's candidates, in the order in which they are tried."""
    source = load_source("other", folder, kernels, scratch, best=4, logger=LOGGER, timed=timed)
    found = []
    for kernel in targets:
        candidates = KernelCandidates(
            kernel, [source], target, None, per_source_kernel=4, lent={}, threads=1, logger=LOGGER
        )
        candidates.extend(8)
        found.append([one.name for one in candidates.ready])
    return found


def test_other_times_change_nothing_of_the_order(
    searched, distorted, kernels, targets, target, tmp_path
):
    def ordered(folder, timed):
        return order(folder, kernels, targets, target, tmp_path, timed)

    plain = ordered(searched, False)
    assert ordered(distorted, False) == plain
    assert any(len(one) > 2 for one in plain)
    # Were they believed, they would: the test would see it.
    assert ordered(distorted, True) != ordered(searched, True)


def test_the_cost_model_learns_nothing_of_it(
    searched, kernels, targets, target, tmp_path, bench, logger, monkeypatch
):
    taught = []
    real = transfer_module.read_lessons

    def watched(source, *more, **named):
        taught.append(source.name)
        return real(source, *more, **named)

    monkeypatch.setattr(transfer_module, "read_lessons", watched)
    settings = TransferSettings(
        seed=1, candidates_per_kernel=3, most_per_kernel=8, considered_per_kernel=12,
        records_per_source_kernel=4, seconds=0, significance=0.05, confirm_repeats=4,
        tolerance=1e-3,
    )  # fmt: skip
    sources = [
        load_source("mine", searched, kernels, tmp_path, best=4, logger=logger),
        load_source("theirs", searched, kernels, tmp_path, best=4, logger=logger, timed=False),
    ]
    measured = TuningLog(tmp_path / "measured", logger)
    result = run_transfer(
        targets,
        sources,
        target,
        settings,
        (measured, TuningLog(tmp_path / "chosen", logger)),
        bench,
        tmp_path,
    )
    assert taught == ["mine"]
    assert any(row.valid == "yes" and row.kind != "default" for row in result.rows)


def test_a_device_that_nothing_tells_is_another(searched):
    def log(**settings):
        (searched / "settings.json").write_text(json.dumps(settings))
        return read_log(searched)

    try:
        assert made_here(log(fingerprint="abc"), {"fingerprint": "abc"})
        assert not made_here(log(fingerprint="def"), {"fingerprint": "abc"})
        assert not made_here(log(), {"fingerprint": "abc"})
    finally:
        (searched / "settings.json").unlink()
