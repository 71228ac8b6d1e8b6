"""Kernels with index inputs, and kernels that have no schedule, searched, refined, transferred."""

import logging

import numpy as np
import onnx
import onnx.parser
import pytest

from conftest import MEASURE
from rivulet.droplet import DropletSettings, read_source
from rivulet.droplet.settle import kernels_without_start, settle_all
from rivulet.kernels.extract import extract_kernels, workload_hash
from rivulet.measure.bench import Bench
from rivulet.measure.protocol import Comparison
from rivulet.records import TuningLog
from rivulet.transfer import TransferSettings, load_source
from rivulet.transfer.remarks import remarks
from rivulet.tvm_compat.arguments import kernel_call
from tuning_runs import run_droplet, run_search, run_transfer

SPACE = "register-tiles"
LOGGER = logging.getLogger("test")
TRANSFER = TransferSettings(
    seed=1, candidates_per_kernel=2, most_per_kernel=3, considered_per_kernel=4,
    records_per_source_kernel=2, seconds=0, significance=0.05, confirm_repeats=4, tolerance=1e-3,
)  # fmt: skip
MODEL = """
<ir_version: 8, opset_import: ["" : 18]>
small (int64[1, {tokens}] ids, float[{tokens}, 7, 12] x, int64[6, 2] pairs,
       int64[{tokens}, 7, 3] at)
=> (float[1, {tokens}, 24] embedded, float[6, 12] picked, float[{tokens}, 7, 3] elements,
    float[{tokens}, 2, 12] heads)
<float[1] one = {{1}}, int64[2] order = {{6, 0}}>
{{
    rows = Gather <axis = 0> (table, ids)
    embedded = Mul (rows, one)
    shifted = Add (x, one)
    picked = GatherND (shifted, pairs)
    elements = GatherElements <axis = 2> (shifted, at)
    heads = Gather <axis = 1> (shifted, order)
}}
"""


def quiet(*_):
    pass


def make_kernels(folder, target, tokens):
    """The kernels of a model that looks up rows, pairs, elements and heads."""
    from rivulet.graph.prepare import prepare_model

    model = onnx.parser.parse_model(MODEL.format(tokens=tokens))
    table = np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    path = folder / "small.onnx"
    onnx.save(model, str(path))
    kernels = extract_kernels(prepare_model(path, target), target)
    return [kernel for kernel in kernels if _takes_indices(kernel)]


def _takes_indices(kernel):
    call = kernel_call(kernel.module, packed=False)
    whole = [n for n, (_, dtype) in enumerate(call.args) if "int" in dtype]
    return any(not call.is_plain(n) for n in whole)


@pytest.fixture(scope="module")
def lookups(target, tmp_path_factory):
    return make_kernels(tmp_path_factory.mktemp("models"), target, 9)


@pytest.fixture(scope="module")
def bench(target, tmp_path_factory):
    """One for all tests here: most of what they take is the start of its processes."""
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as opened:
        yield opened


@pytest.fixture(scope="module")
def searched(lookups, target, bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    log = TuningLog(folder)
    lines = run_search(lookups, target, 3 * len(lookups), log, bench)
    return folder, log, lines


def test_a_search_finds_schedules_of_all_of_them_and_no_trial_fails(searched, lookups):
    _, log, lines = searched
    assert len(lookups) == 4
    assert [trial.error for trial in log.trials if trial.error] == []
    assert all(log.best_records(kernel, 1) for kernel in lookups)
    assert lines == []


def test_their_outputs_can_be_compared(lookups, bench):
    modules = [kernel.module for kernel in lookups]
    for seen in bench.compare(modules, modules, 3):
        assert isinstance(seen, Comparison)
        assert seen.error == 0


def test_a_droplet_refines_them(searched, lookups, target, tmp_path, bench):
    folder, *_ = searched
    settings = DropletSettings(1, len(lookups), 0.05, 4, 8, 1, 1e-3)
    walk = TuningLog(tmp_path / "walk", LOGGER)
    source = read_source(folder, lookups, tmp_path, True, logger=LOGGER)
    descents = run_droplet(lookups, target, settings, source, walk, bench)
    settled = settle_all(descents, settings, bench, quiet, logger=LOGGER)
    assert [trial.error for trial in walk.trials if trial.error] == []
    assert kernels_without_start(settled) == []
    assert all(one.row.log_us for one in settled)


def test_a_transfer_runs_their_schedules_on_other_shapes(
    searched, lookups, target, tmp_path, bench
):
    folder, *_ = searched
    targets = make_kernels(tmp_path, target, 11)
    source = load_source("other", folder, lookups, tmp_path, best=4, logger=LOGGER)
    measured = TuningLog(tmp_path / "measured", LOGGER)
    result = run_transfer(
        targets,
        [source],
        target,
        TRANSFER,
        (measured, TuningLog(tmp_path / "chosen")),
        bench,
        tmp_path,
    )
    assert [trial.error for trial in measured.trials if trial.error] == []
    tried = {trial.kernel for trial in measured.trials}
    assert tried == {kernel.task for kernel in targets}
    assert remarks(result.cases, measured.trials) == []


@pytest.fixture(scope="module")
def kernel_of(target):
    """Makes a kernel of 8 x 8 numbers of the blocks of its code: names, buffers, values."""
    from rivulet.kernels.kernel import Kernel
    from rivulet.tvm_compat import load_tvm

    tvm = load_tvm()

    def make(task, *blocks):
        lines = [
            "@T.prim_func(s_tir=True)",
            'def main(x: T.Buffer((8, 8), "float32"), out: T.Buffer((8, 8), "float32")):',
            '    T.func_attr({"tirx.noalias": True, "global_symbol": "main"})',
            "    half = T.sblock_alloc_buffer((8, 8))",
        ]
        for name, buffer, value in blocks:
            lines += [
                "    for i, j in T.grid(8, 8):",
                f'        with T.sblock("{name}"):',
                '            vi, vj = T.axis.remap("SS", [i, j])',
                f"            {buffer}[vi, vj] = {value}",
            ]
        function = tvm.script.from_source("\n".join(lines) + "\n", {"T": tvm.script.tirx})
        module = tvm.IRModule({"main": function})
        return Kernel(task, task, ((8, 8),) * 2, "float32", 64.0, 1, workload_hash(module), module)

    return make


@pytest.fixture(scope="module")
def spaceless(kernel_of):
    """A kernel whose code runs, but in which MetaSchedule's generator finds a block twice."""
    return kernel_of(
        "log1",
        ("twice", "half", "T.log(x[vi, vj])"),
        ("twice", "out", "half[vi, vj] * T.float32(0.5)"),
    )


def test_a_kernel_without_a_design_space_keeps_its_default_and_ends_no_search(
    kernels, spaceless, target, tmp_path, bench
):
    log = TuningLog(tmp_path / "log", LOGGER)
    few = [_largest(kernels), spaceless]
    for trials in (3, 5):  # the second goes on with the first
        (line,) = run_search(few, target, trials, log, bench)
        assert line.startswith("log1 keeps its default loops: MetaSchedule makes no sketch of it")
        assert "\n" not in line
    assert {trial.kernel for trial in log.trials} == {few[0].task}
    assert len(log.trials) == 5
    source = read_source(tmp_path / "log", few, tmp_path, True, logger=LOGGER)
    settings = DropletSettings(1, 2, 0.05, 6, 8, 1, 1e-3)
    walk = TuningLog(tmp_path / "walk", LOGGER)
    descents = run_droplet(few, target, settings, source, walk, bench)
    (line,) = kernels_without_start(settle_all(descents, settings, bench, quiet, logger=LOGGER))
    assert line.startswith("log1 keeps its default loops: the log has no schedule of it")


def test_nor_does_it_end_a_transfer(searched, lookups, spaceless, target, tmp_path, bench):
    folder, *_ = searched
    source = load_source("other", folder, lookups, tmp_path, best=4, logger=LOGGER)
    measured, chosen = (TuningLog(tmp_path / name, LOGGER) for name in ("measured", "chosen"))
    result = run_transfer(
        [lookups[0], spaceless], [source], target, TRANSFER, (measured, chosen), bench, tmp_path
    )
    (line,) = remarks(result.cases, measured.trials)
    assert line.startswith("log1 keeps its default loops: MetaSchedule makes no sketch of it")
    own = [row for row in result.rows if row.kernel == "log1"]
    assert [row.chosen for row in own if row.kind == "default"] == ["yes"]


def test_a_kernel_that_no_schedule_runs_of_is_named_at_the_end(
    lookups, kernel_of, target, tmp_path, bench
):
    hopeless = kernel_of(
        "missing1",
        ("first", "half", "x[vi, vj]"),
        ("second", "out", 'T.call_extern("float32", "no_function_of_this_name", half[vi, vj])'),
    )
    log = TuningLog(tmp_path / "log", LOGGER)
    few = [_largest(lookups), hopeless]
    (line,) = run_search(few, target, 4, log, bench)
    assert line.startswith("missing1 keeps its default loops: none of its ")
    assert "no_function_of_this_name" in line


def test_kernels_with_a_domain_are_compared_within_it(kernel_of, spaceless, bench):
    wrong = kernel_of(
        "log2", ("once", "half", "T.log(x[vi, vj])"), ("again", "out", "half[vi, vj]")
    )
    same, other = bench.compare([spaceless.module, wrong.module], [spaceless.module] * 2, 1)
    assert isinstance(same, Comparison)
    assert same.error == 0
    assert 0.9 < other.error < 1.1


def _largest(kernels):
    return max(kernels, key=lambda kernel: kernel.flops)
