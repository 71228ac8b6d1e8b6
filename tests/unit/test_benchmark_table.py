import pytest

from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.pair import PairResult
from rivulet.benchmark.repeat import Repeated, repeat_benchmark
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.table import (
    MethodRow,
    collect_tables,
    fill_latencies,
    read_rows,
    sample_rows,
    write_rows,
)
from rivulet.hardware.conduct import Conduct
from rivulet.hardware.fingerprint import Device

SAMPLING = Sampling(0.95, 100, 0)
METHODS = ("untuned", "onnxruntime", "ansor", "droplet", "transfer")


def rows(source="a", target="b", **extra):
    return [MethodRow("local", target, source, m, "ansor", 10, **extra) for m in METHODS]


def test_ratios():
    table = rows()
    samples = {"untuned": [[8.0]], "onnxruntime": [[2.0]], "ansor": [[1.0]], "transfer": [[1.25]]}
    fill_latencies(table, samples, SAMPLING)
    by_method = {row.method: row for row in table}
    assert by_method["transfer"].speedup_vs_untuned == pytest.approx(6.4)
    assert by_method["transfer"].speedup_vs_onnxruntime == pytest.approx(1.6)
    assert by_method["transfer"].share_of_ansor_speedup == pytest.approx(0.8)
    assert by_method["onnxruntime"].share_of_ansor_speedup == pytest.approx(0.5)
    assert by_method["droplet"].latency_ms is None
    assert by_method["droplet"].samples == 0


def test_ratios_are_taken_within_each_process():
    table = rows()
    # The second process runs everything at half the speed.
    samples = {"ansor": [[1.0, 1.1, 1.0], [2.0, 2.1, 2.0]], "transfer": [[1.25] * 3, [2.5] * 3]}
    fill_latencies(table, samples, SAMPLING)
    transfer = table[4]
    assert (transfer.processes, transfer.samples) == (2, 6)
    assert transfer.latency_ms == pytest.approx((1.25 * 2.5) ** 0.5, rel=1e-5)
    assert transfer.latency_ms_low < 1.25 < 2.5 < transfer.latency_ms_high
    ratio = (
        transfer.share_of_ansor_speedup_low, transfer.share_of_ansor_speedup,
        transfer.share_of_ansor_speedup_high,
    )  # fmt: skip
    assert ratio == pytest.approx((0.8, 0.8, 0.8))


def test_every_sample_has_its_row():
    found = sample_rows(Repeated([result(1.0, 0.5, 0.6), result(0.95, 2.0), result(0.97, 3.0)]))
    assert [(r.process, r.used, r.method, r.sample, r.latency_ms) for r in found] == [
        (1, "yes", "ansor", 1, 0.5),
        (1, "yes", "ansor", 2, 0.6),
        (2, "yes", "ansor", 1, 2.0),
        (3, "yes", "ansor", 1, 3.0),
    ]


def result(speed, *samples):
    conduct = Conduct(1.0, 0.0, 0.0, None, None, speed)
    return PairResult({"ansor": list(samples)}, {}, {}, {}, conduct)


def test_processes_on_a_machine_that_was_slow_are_set_aside_and_told():
    found = Repeated([result(1.0, 1.0), result(0.68, 1.5), result(0.97, 1.1)])
    assert found.groups("ansor") == [[1.0], [1.1]]
    assert [row.used for row in sample_rows(found)] == ["yes", "no", "yes"]
    assert found.complaints == ["the machine ran at 68% of its peak (1 of 3 processes set aside)"]
    # With fewer than two left all count, and that is told.
    slow = Repeated([result(1.0, 1.0), result(0.68, 1.5), result(0.7, 1.6)])
    assert len(slow.groups("ansor")) == 3
    assert slow.complaints == ["the machine ran at 68% of its peak"]
    assert Repeated([result(0.5, 1.0)]).groups("ansor") == [[1.0]]


def test_without_ansor_there_is_no_share_of_it():
    table = rows()
    fill_latencies(table, {"untuned": [[2.0]], "transfer": [[1.0]]}, SAMPLING)
    assert {row.share_of_ansor_speedup for row in table} == {None}
    assert table[4].speedup_vs_untuned == 2


def test_tables_come_back_and_are_collected_in_order(tmp_path):
    paths = []
    for source, target in (("b", "a"), ("a", "b")):
        paths.append(tmp_path / f"{source}-to-{target}.csv")
        write_rows(rows(source, target, error='wrong, "very"'), paths[-1])
    assert read_rows(paths[0])[0]["error"] == 'wrong, "very"'
    assert collect_tables(paths, tmp_path / "all.csv") == 10
    assert [r["target"] for r in read_rows(tmp_path / "all.csv")] == ["a"] * 5 + ["b"] * 5


def test_no_pairs_make_an_empty_table(tmp_path):
    assert collect_tables([], tmp_path / "all.csv") == 0
    assert read_rows(tmp_path / "all.csv") == []


class Clocked:
    """A variant that takes no time and remembers when it ran."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def bind(self, inputs):
        pass

    def run(self):
        self.calls.append(self.name)

    def outputs(self):
        return []


def test_each_round_samples_every_variant_in_a_seeded_order():
    def order(seed):
        calls = []
        variants = {name: Clocked(name, calls) for name in "abc"}
        settings = TimingSettings(seed, 1, 6, 0.0, 0.0, 60.0)  # one inference fills a sample
        samples = time_interleaved(variants, settings, lambda done, total: None)
        assert {name: len(s) for name, s in samples.items()} == {"a": 6, "b": 6, "c": 6}
        timed = calls[3:]  # after the warm-up
        rounds = [timed[i : i + 3] for i in range(0, len(timed), 3)]
        assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
        return rounds

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert len({tuple(r) for r in order(1)}) > 1


def test_a_slow_variant_rests_after_its_time():
    import time

    class Slow(Clocked):
        def run(self):
            time.sleep(0.01)

    variants = {"slow": Slow("slow", []), "fast": Clocked("fast", [])}
    settings = TimingSettings(0, 1, 20, 0.0, 0.0, 0.05)
    samples = time_interleaved(variants, settings, lambda done, total: None)
    assert len(samples["slow"]) == 5
    assert len(samples["fast"]) == 20


def test_what_is_sampled_once_does_not_run_again_where_its_last_run_was_long():
    calls = []
    variants = {name: Clocked(name, calls) for name in ("slow", "quick", "other")}
    settings = TimingSettings(0, 3, 6, 10.0, 0.0, 60.0)
    samples = time_interleaved(
        variants, settings, lambda done, total: None, once_only={"slow": 2.5, "quick": 0.001}
    )
    assert samples["slow"] == [2500.0]
    assert "slow" not in calls
    # A short run fills no sample: it is warmed up and averages many.
    assert len(samples["quick"]) == 1
    assert calls.count("quick") > 100
    assert len(samples["other"]) == 6


def test_a_method_that_not_all_processes_timed_is_compared_within_those_that_did():
    rows = [MethodRow("h", "t", "s", method, "ansor", 8) for method in ("untuned", "ansor")]
    groups = {"untuned": [[90.0], [110.0], []], "ansor": [[9.0], [10.0], [500.0]]}
    fill_latencies(rows, groups, SAMPLING)
    untuned, ansor = rows
    assert (untuned.processes, untuned.samples, ansor.processes) == (2, 2, 3)
    assert ansor.speedup_vs_untuned == pytest.approx((10 * 11) ** 0.5, abs=1e-4)
    assert untuned.latency_ms == pytest.approx((90 * 110) ** 0.5, abs=1e-4)
    rows = [MethodRow("h", "t", "s", method, "ansor", 8) for method in ("untuned", "ansor")]
    fill_latencies(rows, {"untuned": [[90.0], []], "ansor": [[9.0], [10.0]]}, SAMPLING)
    assert rows[1].speedup_vs_untuned is None


def test_what_is_sampled_once_is_left_out_beyond_the_least_and_profiled_until_one_counts(
    tmp_path, monkeypatch
):
    subject = Subject(
        tmp_path, {"untuned": tmp_path, "ansor": tmp_path}, [],
        Device("local", "auto", 1), TimingSettings(5, 1, 6, 1, 1, 1), 1e-3,
        once_only=["untuned"],
    )  # fmt: skip
    seen = []
    speeds = iter([0.5, 1.0, 1.0, 1.0])  # the first process meets a slow machine

    def in_new_process(one, report):
        seen.append((one.methods, one.profiled, one.timing.seed))
        functions = {m: {"f": 1.0} for m in one.libraries if m not in one.profiled}
        samples = {m: [1.0 + 0.1 * len(seen)] for m in one.methods}
        return PairResult(
            samples, {}, {}, functions, Conduct(1.0, 0.0, 0.0, None, None, next(speeds))
        )

    monkeypatch.setattr("rivulet.benchmark.repeat._in_new_process", in_new_process)
    stopping = Stopping(3, 4, 0.0, SAMPLING, ("untuned",))
    found = repeat_benchmark(subject, stopping, lambda *_: None)
    whole = ["untuned", "ansor", "onnxruntime"]
    assert seen == [
        (whole, [], 5), (whole, [], 6), (whole, ["untuned"], 7), (whole[1:], ["untuned"], 8),
    ]  # fmt: skip
    assert [len(group) for group in found.groups("untuned")] == [1, 1, 0]
    assert [len(group) for group in found.groups("ansor")] == [1, 1, 1]


def test_with_flushed_caches_each_inference_is_timed_alone():
    calls = []
    variants = {"a": Clocked("a", calls)}
    settings = TimingSettings(0, 1, 5, 0.0, 0.0, 60.0, cache_flush=True)
    samples = time_interleaved(variants, settings, lambda done, total: None)
    assert len(samples["a"]) == 5
    assert len(calls) == 1 + 5
