"""Transfer-tuning on real TVM with models of a few small kernels."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import onnx
import pytest

from conftest import MEASURE, write_onnx
from onnx_text import model_of
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.in_place import prove_in_place
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.untuned import Subject, look_at_untuned
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.records import TuningLog
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.journal import publish
from rivulet.records.storage import JOURNAL
from rivulet.records.stored import read_log
from rivulet.search.warm_start import begin_from
from rivulet.transfer import Source, TransferSettings, load_source
from rivulet.transfer.candidates import KernelCandidates
from rivulet.transfer.sources import check_donor
from rivulet.transfer.table import covered_kernels, read_candidates, write_candidates
from tuning_runs import run_search, run_transfer

SETTINGS = TransferSettings(
    seed=1, candidates_per_kernel=3, most_per_kernel=8, considered_per_kernel=12,
    records_per_source_kernel=2, seconds=0, significance=0.05, confirm_repeats=4, tolerance=1e-3,
)  # fmt: skip
SPACE = "register-tiles"


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def searched(kernels, target, tmp_path_factory):
    """A finished search of the source."""
    folder = tmp_path_factory.mktemp("log")
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        run_search(kernels, target, 30, TuningLog(folder), bench)
    return folder


@pytest.fixture
def source(searched, kernels, tmp_path, logger):
    return load_source("narrow", searched, kernels, tmp_path, best=4, logger=logger)


@pytest.fixture(scope="module")
def wide(target, tmp_path_factory):
    path = write_onnx(tmp_path_factory.mktemp("wide") / "wide.onnx", channels=12, size=10)
    model = prepare_model(path, target)
    return path, model, extract_kernels(model, target)


def transfer(
    kernels, sources, target, folder, bench, logger, settings=SETTINGS, report=quiet, untuned=None
):
    measured = TuningLog(folder / "measured", logger)
    chosen = TuningLog(folder / "chosen", logger)
    result = run_transfer(
        kernels,
        sources,
        target,
        settings,
        (measured, chosen),
        bench,
        folder,
        report=report,
        untuned=untuned,
    )
    return result.rows, measured, chosen


def slow_defaults(kernels):
    """Times of default schedules that no candidate is slower than, however busy the machine is."""
    return {kernel.task: 2.0 for kernel in kernels}


def covered(rows):
    return covered_kernels([{k: str(v) for k, v in vars(row).items()} for row in rows])


def of_kernel(rows, kernel):
    return [row for row in rows if row.kernel == kernel.task]


def test_every_kernel_of_another_shape_is_covered(source, wide, target, tmp_path, bench, logger):
    _, _, targets = wide
    rows, measured, chosen = transfer(targets, [source], target, tmp_path, bench, logger)
    for kernel in targets:
        own = of_kernel(rows, kernel)
        assert sum(row.chosen == "yes" for row in own) == 1
        assert [row.kind for row in own].count("default") == 1
        taken = next(row for row in own if row.chosen == "yes")
        assert bool(chosen.best_records(kernel, 1)) == (taken.kind != "default")
    assert covered(rows) == {kernel.task for kernel in targets}
    kinds = {row.strategy for row in measured.trials}
    assert {"transfer", "transfer-default"} <= kinds
    assert kinds <= {"transfer", "transfer-default", "transfer-confirm"}
    # Each default schedule has one row, wherever its time comes from.
    defaults = [t.kernel for t in measured.trials if t.strategy == "transfer-default"]
    assert sorted(defaults) == sorted(kernel.task for kernel in targets)
    assert measured.trials[-1].model_ms


def test_a_default_schedule_timed_within_the_model_is_not_run_alone(
    source, wide, target, tmp_path, bench, logger
):
    _, _, targets = wide
    slow = slow_defaults(targets)
    rows, measured, chosen = transfer(
        targets, [source], target, tmp_path, bench, logger, untuned=slow
    )
    assert all(chosen.best_records(kernel, 1) for kernel in targets)
    defaults = [t for t in measured.trials if t.strategy == "transfer-default"]
    assert [json.loads(t.samples_us) for t in defaults] == [[2e6]] * len(targets)
    assert all(t.build_s == 0 for t in defaults)
    assert [r.median_us for r in rows if r.kind == "default"] == ["2000000.0000"] * len(targets)


def test_the_budget_is_kept(source, wide, target, tmp_path, bench, logger):
    _, _, targets = wide
    _, measured, _ = transfer(targets, [source], target, tmp_path, bench, logger)
    tried = [t for t in measured.trials if t.strategy == "transfer"]
    assert len(tried) <= SETTINGS.candidates_per_kernel * len(targets)
    names = [(t.kernel, t.candidate) for t in tried]
    assert len(names) == len(set(names))


def test_another_fusion_around_the_same_anchor_is_covered(source, target, tmp_path, bench, logger):
    # Large enough to be faster than its default loops by far, however busy the machine is.
    path = write_onnx(tmp_path / "tanh.onnx", channels=24, size=32, between="Tanh")
    model = prepare_model(path, target)
    convolutions = [k for k in extract_kernels(model, target) if "conv2d" in k.kind]
    assert {k.kind for k in convolutions} == {"image_conv2d_add_tir_tanh", "conv2d_add_tir_tanh"}
    rows, _, chosen = transfer(convolutions, [source], target, tmp_path, bench, logger)
    for kernel in convolutions:
        own = [r for r in of_kernel(rows, kernel) if r.kind != "default"]
        assert "anchor" in {r.kind for r in own}
        assert any(r.valid == "yes" for r in own)
    taken = [k for k in convolutions if chosen.best_records(k, 1)]
    assert taken
    for kernel in taken:  # what was recorded replays by itself, as the model's build does it
        (record,) = chosen.best_records(kernel, 1)
        assert record.as_measure_candidate().sch.mod is not None


def test_the_same_workload_comes_first_and_as_it_is(source, kernels, target, logger):
    kernel = max(kernels, key=lambda k: k.flops)
    found = KernelCandidates(
        kernel, [source], target, None, per_source_kernel=2, lent={}, threads=1, logger=logger
    )
    found.extend(12)
    first = found.ready[0]
    assert (first.match.kind, first.how, first.rank) == ("exact", "as it is", 0)
    assert first.match.kernel.task == kernel.task
    trials = [t for t in TuningLog(source.folder).trials if t.kernel == kernel.task]
    assert first.name == min((t for t in trials if t.samples), key=lambda t: t.median_us).candidate
    names = [one.name for one in found.ready]
    assert len(names) == len(set(names))


def test_a_target_equal_to_its_source_is_served_by_its_own_schedules(
    source, kernels, target, tmp_path, bench, logger
):
    rows, _, _ = transfer(kernels, [source], target, tmp_path, bench, logger)
    for kernel in kernels:
        assert "exact" in {row.kind for row in of_kernel(rows, kernel)}


def test_a_pool_takes_the_best_of_several(source, wide, kernels, target, tmp_path, bench, logger):
    _, _, targets = wide
    other = Source("other", source.kernels)
    rows, _, _ = transfer(targets, [source, other], target, tmp_path, bench, logger)
    # The same schedules from two sources are the same code, and are tried once.
    tried = [row.candidate for row in rows if row.samples_us != "[]" and row.kind != "default"]
    assert len({(r.kernel, r.candidate) for r in rows if r.samples_us != "[]"}) == len(
        [r for r in rows if r.samples_us != "[]"]
    )
    assert tried


def test_a_transferred_model_computes_what_onnxruntime_does(
    source, wide, target, tmp_path, bench, logger
):
    path, model, targets = wide
    _, _, chosen = transfer(targets, [source], target, tmp_path, bench, logger)
    inputs = [np.random.default_rng(0).standard_normal((1, 3, 10, 10)).astype(np.float32)]
    reference = OnnxRuntimeModel(path, 1)
    reference.bind(inputs)
    reference.run()
    for name, applied in (("untuned", None), ("transfer", chosen)):
        library = tmp_path / f"{name}.so"
        compile_model(model, target, applied, library)
        compiled = CompiledModel(library, model.params)
        compiled.bind(inputs)
        compiled.run()
        np.testing.assert_allclose(
            compiled.outputs()[0], reference.outputs()[0], rtol=1e-3, atol=1e-4
        )


def test_an_interrupted_transfer_measures_nothing_twice(
    source, wide, target, tmp_path, bench, logger
):
    class Killed(Exception):
        pass

    def kill(done, _):
        if done:
            raise Killed

    _, _, targets = wide
    slow = slow_defaults(targets)
    with pytest.raises(Killed):
        transfer(targets, [source], target, tmp_path, bench, logger, report=kill, untuned=slow)
    before = TuningLog(tmp_path / "measured").trials
    (tmp_path / "chosen" / JOURNAL).unlink(missing_ok=True)
    _, measured, chosen = transfer(targets, [source], target, tmp_path, bench, logger, untuned=slow)
    assert measured.trials[: len(before)] == before
    own = [t for t in measured.trials if not t.strategy.endswith("confirm")]
    names = [(t.kernel, t.candidate) for t in own]
    assert len(names) == len(set(names))
    assert any(chosen.best_records(kernel, 1) for kernel in targets)


def test_an_empty_log_and_one_with_nothing_in_common_are_said(
    source, kernels, target, tmp_path, bench, logger
):
    (tmp_path / "empty").mkdir()
    for name in (RECORDS, WORKLOADS):
        (tmp_path / "empty" / name).touch()
    nothing = load_source("empty", tmp_path / "empty", kernels, tmp_path, best=4, logger=logger)
    kernel = max(kernels, key=lambda k: k.flops)
    rows, _, chosen = transfer([kernel], [nothing], target, tmp_path / "a", bench, logger)
    assert [(r.kind, r.chosen) for r in rows] == [("", ""), ("default", "yes")]
    assert rows[0].reason == "the log of empty has no schedule"
    assert not chosen.best_records(kernel, 1)
    others = tuple(k for k in source.kernels if k.structure.family != "contraction")
    rows, _, _ = transfer([kernel], [Source("poor", others)], target, tmp_path / "b", bench, logger)
    assert rows[0].reason == (
        "the log of poor has no schedule of a kernel of this family (contraction)"
    )


def test_a_light_kernel_that_no_source_knows_gets_schedules_of_its_own(
    source, target, tmp_path, bench, logger
):
    path = tmp_path / "m.onnx"
    graph = (
        "m (float[1,96,64,64] u, float[1,32,64,64] v) => (float[1,128,64,64] y) "
        "{ c = Concat<axis=1>(u, v) y = Relu(c) }"
    )
    onnx.save(model_of(graph), path)
    (kernel,) = extract_kernels(prepare_model(path, target), target)
    heavy = tuple(k for k in source.kernels if k.structure.family == "contraction")
    rows, _, chosen = transfer(
        [kernel], [Source("narrow", heavy)], target, tmp_path / "a", bench, logger,
        untuned=slow_defaults([kernel]),
    )  # fmt: skip
    assert {row.kind for row in rows} == {"own", "default"}
    (taken,) = (row for row in rows if row.chosen == "yes")
    assert (taken.kind, taken.how, taken.source, taken.valid) == ("own", "sampled", "", "yes")
    assert chosen.best_records(kernel, 1)


def test_a_log_that_is_not_there_is_said(kernels, tmp_path, logger):
    with pytest.raises(UserError, match="not there; name the folder of a log"):
        load_source("x", tmp_path / "none", kernels, tmp_path, best=4, logger=logger)


def test_a_corrupted_record_is_left_out(searched, kernels, tmp_path, logger, caplog):
    folder = tmp_path / "damaged"
    publish(searched, folder)
    lines = (folder / RECORDS).read_bytes().splitlines(keepends=True)
    lines[0] = lines[0][: len(lines[0]) // 2] + b"\n"
    (folder / RECORDS).write_bytes(b"".join(lines))
    with caplog.at_level(logging.WARNING):
        found = load_source("damaged", folder, kernels, tmp_path, best=99, logger=logger)
    assert sum(len(k.records) for k in found.kernels) == len(lines) - 1
    assert "1 damaged line(s) are not used" in caplog.text


def test_a_log_without_its_model_is_a_source_too(searched, wide, target, tmp_path, bench, logger):
    found = load_source("library", searched, [], tmp_path, best=4, logger=logger)
    assert {k.task for k in found.kernels} == {
        f"workload{n}" for n in range(1, len(found.kernels) + 1)
    }
    _, _, targets = wide
    rows, _, _ = transfer(targets, [found], target, tmp_path, bench, logger)
    assert covered(rows) == {kernel.task for kernel in targets}


def test_the_librarys_hardware_and_tvm_are_checked(searched, tmp_path):
    here = {"tvm": "0.27.0", "fingerprint": "abc"}

    def made(**settings):
        (searched / "settings.json").write_text(json.dumps(settings))
        return read_log(searched)

    try:
        assert check_donor("x", made(**here), here, False) is None
        with pytest.raises(UserError, match=r"was made by TVM 0\.1, and this is TVM 0\.27\.0"):
            check_donor("x", made(tvm="0.1", fingerprint="abc"), here, True)
        other = made(tvm="0.27.0", fingerprint="def", device=json.dumps({"name": "lab"}))
        with pytest.raises(UserError, match=r"another device \('lab', fingerprint def\).*true"):
            check_donor("x", other, here, False)
        assert "may not hold here" in check_donor("x", other, here, True)
        assert "nothing beside" in check_donor("x", made(), here, False)
    finally:
        (searched / "settings.json").unlink()


def test_candidates_table(source, kernels, target, tmp_path, bench, logger):
    rows, _, _ = transfer(kernels[1:2], [source], target, tmp_path, bench, logger)
    write_candidates(rows, tmp_path / "candidates.csv")
    with (tmp_path / "candidates.csv").open() as stream:
        header = next(csv.reader(stream))
    assert header[:3] == ["kernel", "kernel_class", "weight"]
    assert covered_kernels(read_candidates(tmp_path / "candidates.csv")) == {kernels[1].task}


def test_a_search_starts_from_what_was_transferred(source, wide, target, tmp_path, bench, logger):
    _, _, targets = wide
    _, measured, _ = transfer(targets, [source], target, tmp_path, bench, logger)
    (tmp_path / "warm").mkdir()
    begin_from(measured.folder, tmp_path / "warm")
    log = TuningLog(tmp_path / "warm", logger)
    lent = list(log.trials)
    assert {t.strategy for t in lent} == {"transfer"}
    run_search(targets, target, len(lent) + 9, log, bench)
    assert log.trials[: len(lent)] == lent
    assert [t.strategy for t in log.trials[len(lent) :]] == ["evolutionary"] * 9
    names = [(t.kernel, t.candidate) for t in log.trials]
    assert len(names) == len(set(names))
    begin_from(measured.folder, tmp_path / "warm")  # going on takes nothing anew
    assert len(TuningLog(tmp_path / "warm", logger).trials) == len(log.trials)


@pytest.fixture
def model_without(wide, target, tmp_path):
    path, model, targets = wide
    compile_model(model, target, None, tmp_path / "before.so")
    inputs = [{"name": "input", "shape": [1, 3, 10, 10], "dtype": "float32"}]
    subject = Subject(model, targets, inputs, target, 0, 0.05, onnx=path)
    return subject, look_at_untuned(subject, tmp_path / "before.so")


def test_what_makes_the_model_slower_in_place_is_put_back(
    model_without, source, wide, target, tmp_path, bench, logger
):
    """A schedule that claims to be fast, and is not."""
    subject, untuned = model_without
    _, _, targets = wide
    kernel = max(targets, key=lambda k: k.flops)
    _, _, chosen = transfer(
        targets, [source], target, tmp_path, bench, logger, untuned=slow_defaults(targets)
    )
    slow = _slow_record(kernel, target)
    bad = TuningLog(tmp_path / "bad", logger)
    bad.commit(
        kernel, slow.trace, 1e-9, target, arguments=chosen.best_records(kernel, 1)[0].args_info
    )
    said = []
    found, kept = prove_in_place(
        subject, untuned, bad, tmp_path / "scratch", library=tmp_path / "after.so", say=said.append,
        logger=logger,
    )  # fmt: skip
    assert kernel.task in found.put_back
    assert not kept.best_records(kernel, 1)
    assert "the whole model is slower with the schedules" in said[0]
    assert (tmp_path / "after.so").exists()


def _slow_record(kernel, target):
    """All loops of a block in one: every index takes a division for each loop that it had."""
    from tvm.s_tir import Schedule

    schedule = Schedule(kernel.module)
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        schedule.fuse(*schedule.get_loops(block))
    return schedule


def test_schedules_that_help_in_place_stay(
    model_without, source, wide, target, tmp_path, bench, logger
):
    subject, untuned = model_without
    _, _, targets = wide
    _, _, chosen = transfer(targets, [source], target, tmp_path, bench, logger)
    found, kept = prove_in_place(
        subject, untuned, chosen, tmp_path / "scratch", library=tmp_path / "after.so", say=quiet,
        logger=logger,
    )  # fmt: skip
    taken = [k.task for k in targets if kept.best_records(k, 1)]
    assert set(taken) | set(found.put_back) >= {
        k.task for k in targets if chosen.best_records(k, 1)
    }
    assert len(found.before_ms) == len(found.after_ms)
    assert found.right
    assert 0 <= found.error < 1e-4
    assert found.compile_seconds > found.proof_seconds > 0


def test_one_run_of_the_model_tells_its_output_and_each_kernels_time(model_without, wide):
    subject, untuned = model_without
    path, _, targets = wide
    reference = OnnxRuntimeModel(path, 1)
    reference.bind(subject.arrays())
    reference.run()
    np.testing.assert_allclose(untuned.outputs[0], reference.outputs()[0], rtol=1e-3, atol=1e-4)
    assert set(untuned.seconds) == {kernel.task for kernel in targets}
    assert all(0 < seconds < 1 for seconds in untuned.seconds.values())
    assert untuned.latency_ms > 0


def test_a_model_that_is_too_slow_is_cut_short_and_onnxruntime_tells_its_output(model_without):
    subject, untuned = model_without
    cut = look_at_untuned(subject, untuned.library, most_seconds=0.0)
    assert cut.seconds == {}
    np.testing.assert_allclose(cut.outputs[0], untuned.outputs[0], rtol=1e-3, atol=1e-4)


def test_a_wrong_output_is_found_before_anything_is_timed(model_without, tmp_path, logger):
    subject, untuned = model_without
    other = replace(untuned, outputs=[array + 1 for array in untuned.outputs])
    empty = TuningLog(tmp_path / "empty")
    found, _ = prove_in_place(
        subject, other, empty, tmp_path, library=tmp_path / "after.so", say=quiet, logger=logger
    )
    assert not found.right
    assert found.error > subject.tolerance
    assert found.before_ms == []


def test_a_schedule_that_computes_something_else_makes_the_model_wrong_and_is_replaced(
    model_without, source, wide, target, tmp_path, bench, logger
):
    subject, untuned = model_without
    _, _, targets = wide
    kernel = max(targets, key=lambda k: k.flops)
    measured, chosen = (TuningLog(tmp_path / n, logger) for n in ("measured", "chosen"))
    result = run_transfer(
        targets,
        [source],
        target,
        SETTINGS,
        (measured, chosen),
        bench,
        tmp_path,
        untuned=slow_defaults(targets),
    )
    (case,) = (one for one in result.cases if one.kernel is kernel)
    wrong, was = case.winner, case.winner.schedule
    wrong.schedule = _wrong_schedule(kernel)
    bad = TuningLog(tmp_path / "bad", logger)
    result.record(bad, target)
    found, _ = prove_in_place(
        subject, untuned, bad, tmp_path, library=tmp_path / "after.so", say=quiet, logger=logger
    )
    assert not found.right
    assert result.replace_wrong(SETTINGS, bench, logger) == [kernel.task]
    assert (wrong.row.correct, wrong.row.chosen) == ("no", "")
    assert case.winner is not wrong
    assert was.mod is not None
    mended = TuningLog(tmp_path / "mended", logger)
    result.record(mended, target)
    found, _ = prove_in_place(
        subject, untuned, mended, tmp_path, library=tmp_path / "after.so", say=quiet, logger=logger
    )
    assert found.right


def _wrong_schedule(kernel):
    """A layout in which all channels share one place, which TVM takes for what it is told."""
    from tvm.s_tir import Schedule

    schedule = Schedule(kernel.module)
    block = next(
        one
        for one in schedule.get_child_blocks(schedule.get_sblock("root"))
        if "pad" in schedule.get(one).name_hint
    )
    schedule.transform_layout(
        block, ("write", 0), lambda n, h, w, c: [n, h, w, c // 2],
        assume_injective_transform=True,
    )  # fmt: skip
    return schedule


def convolved(data, weights, groups=1):
    """Convolution in NumPy: NHWC with padding of one, 3 x 3 window."""
    padded = np.pad(data, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    if groups > 1:  # (n, y, x, c, ry, rx) with (ry, rx, c, 1)
        return np.einsum("nyxcab,abcm->nyxc", windows, weights)
    return np.einsum("nyxcab,abco->nyxo", windows, weights)


def kernel_of(task, outputs, *arguments):
    """A kernel from a tensor expression."""
    import tvm
    from tvm import te

    from rivulet.kernels import Kernel, kernel_class
    from rivulet.kernels.extract import workload_hash

    function = te.create_prim_func([*arguments, outputs]).with_attr("global_symbol", "main")
    module = tvm.IRModule({"main": function})
    shapes = tuple(tuple(int(n) for n in a.shape) for a in (*arguments, outputs))
    flops = float(tvm.s_tir.analysis.estimate_tir_flops(module))
    kind = kernel_class(task, shapes)
    return Kernel(task, kind, shapes, "float32", flops, 1, workload_hash(module), module)


def dense_and_depthwise(channels=12, size=10):
    """Kernels of each relation to a 3 x 3 convolution, bias and activation, and NumPy's answer."""
    from tvm import te, topi

    def place(name, *shape):
        return te.placeholder(shape, "float32", name)

    data, bias = place("d", 1, size, size, channels), place("b", 1, 1, 1, channels)
    weights = place("w", 3, 3, channels, channels)
    thin = place("t", 3, 3, channels, 1)
    plain = topi.nn.conv2d_nhwc(data, weights, 1, 1, 1)
    whole = topi.nn.relu(topi.add(plain, bias))
    depthwise = topi.nn.depthwise_conv2d_nhwc(data, thin, 1, 1, 1)
    return {
        "class": (
            kernel_of("fused_conv2d_add_relu", whole, data, weights, bias),
            lambda d, w, b: np.maximum(convolved(d, w) + b, 0),
        ),
        "anchor": (kernel_of("conv2d", plain, data, weights), convolved),
        "related": (
            kernel_of("depthwise_conv2d", depthwise, data, thin),
            lambda d, w: convolved(d, w, channels),
        ),
    }


@pytest.mark.parametrize("kind", ["exact", "class", "anchor", "related"])
def test_every_kind_of_candidate_computes_what_numpy_does(kind, kernels, source, target, logger):
    import tvm

    if kind == "exact":
        kernel = max(kernels, key=lambda k: k.flops)
        expected = dense_and_depthwise()["class"][1]
    else:
        kernel, expected = dense_and_depthwise()[kind]
    dense = tuple(k for k in source.kernels if k.task.startswith("fused_conv2d"))
    found = KernelCandidates(
        kernel,
        [Source("dense", dense)],
        target,
        None,
        per_source_kernel=4,
        lent={},
        threads=1,
        logger=logger,
    )
    found.extend(6)
    assert found.ready, [one.reason for one in found.fallen]
    found.ready = [one for one in found.ready if one.match.kind == kind]
    assert found.ready
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal(shape).astype(np.float32) for shape in kernel.shapes[:-1]]
    right = expected(*inputs)
    for one in found.ready:
        output = tvm.runtime.tensor(np.zeros(kernel.shapes[-1], np.float32))
        built = tvm.compile(one.schedule.mod, target)
        built["main"](*(tvm.runtime.tensor(array) for array in inputs), output)
        np.testing.assert_allclose(output.numpy(), right, rtol=1e-4, atol=1e-4)
    assert kind == "exact" or {one.how for one in found.ready} & {"projected", "repaired"}


@pytest.mark.parametrize("kind", ["class", "anchor", "related"])
def test_what_is_carried_over_is_within_the_spaces_limits(kind, source, target, logger):
    """Products are the extents, and innermost factors within the limit, but for TVM's repair."""
    kernel, _ = dense_and_depthwise(channels=134, size=37)[kind]
    dense = tuple(k for k in source.kernels if k.task.startswith("fused_conv2d"))
    found = KernelCandidates(
        kernel,
        [Source("dense", dense)],
        target,
        None,
        per_source_kernel=4,
        lent={},
        threads=1,
        logger=logger,
    )
    found.extend(12)
    projected = [one.point for one in [*found.ready, *found.fallen] if one.how == "projected"]
    assert projected
    for point in projected:
        for decision, value in zip(point.structure.decisions, point.values, strict=True):
            if decision.kind == "SamplePerfectTile":
                assert np.prod(value) == np.prod(decision.value)
                assert value[-1] <= decision.innermost_limit


def test_a_wrong_candidate_is_known_to_the_warm_start_but_not_taken(
    source, wide, target, tmp_path, bench, logger
):
    _, _, targets = wide
    _, measured, _ = transfer(targets, [source], target, tmp_path, bench, logger)
    tried = [t for t in measured.trials if t.strategy == "transfer" and t.samples]
    (tmp_path / "warm").mkdir()
    begin_from(measured.folder, tmp_path / "warm", {(tried[0].kernel, tried[0].candidate)})
    log = TuningLog(tmp_path / "warm", logger)
    assert len(log.trials) == len([t for t in measured.trials if t.strategy == "transfer"])
    assert len(log.database) == len(tried) - 1


def test_every_kernel_gets_its_share_though_some_have_nothing_left(
    source, wide, target, tmp_path, bench, logger
):
    """A kernel without any partner keeps its default loops, and takes most of the time by far."""
    _, _, targets = wide
    convolutions = tuple(k for k in source.kernels if k.structure.family == "contraction")
    settings = replace(SETTINGS, candidates_per_kernel=6)
    rows, measured, _ = transfer(
        targets, [Source("dense", convolutions)], target, tmp_path, bench, logger, settings
    )
    for kernel in targets:
        own = of_kernel(rows, kernel)
        tried = [t for t in measured.trials if (t.kernel, t.strategy) == (kernel.task, "transfer")]
        if any(row.kind not in ("", "default") for row in own):
            # One that hardly shows in the model, such as the last layer here, has one look.
            assert len(tried) > (2 if "conv2d" in kernel.kind else 0), kernel.task
        else:
            assert not tried


def test_transfers_in_which_nothing_runs_say_why(source, wide, target, tmp_path, bench, logger):
    _, _, targets = wide
    bench._measure = {**bench._measure, "repeats": "three"}
    with pytest.raises(UserError, match=r"not one of \d+ schedules, the default ones"):
        transfer(targets, [source], target, tmp_path, bench, logger)
    assert TuningLog.resume(tmp_path / "measured", logger).trials == []


def test_every_candidate_has_its_reason(source, wide, target, tmp_path, bench, logger):
    _, _, targets = wide
    rows, _, _ = transfer(targets, [source], target, tmp_path, bench, logger)
    for row in rows:
        assert bool(row.reason) != (row.chosen == "yes") or row.kind == "default", row
        assert row.valid == ("" if row.reason.startswith("not measured") else row.valid)
