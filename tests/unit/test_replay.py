"""The table behind a replay, and what of a measurement survives a log."""

import math

import pytest

from rivulet.measure.protocol import logged_seconds
from rivulet.measure.replay import RecordedTable
from rivulet.records.trials import Trial, read_trials, samples_text, write_trials


def trial(candidate, samples=(), error="", kernel="conv"):
    text = samples_text(samples)
    return Trial(1, 2.0, kernel, 1, "droplet", candidate, 0.1, 0.5, 0.25, text, error, "", "")


def test_what_was_measured_comes_back_from_the_file_to_the_bit(tmp_path):
    samples = logged_seconds([1.23456789e-6, 7.7e-3, 3.3333333333e-5, 0.123456789012345])
    write_trials(tmp_path / "trials.csv", [trial("a", samples), trial("b", (), "build timeout: x")])
    table = RecordedTable(read_trials(tmp_path / "trials.csv"))
    assert len(table) == 2
    measured, failed = table.first("a"), table.first("b")
    assert measured.samples == samples
    assert (measured.build_seconds, measured.run_seconds) == (0.5, 0.25)
    assert (failed.samples, failed.error) == ((), "build timeout: x")
    assert math.isinf(failed.latency)
    assert table.first("c") is None


def test_rounding_keeps_a_latency_to_a_tenth_of_a_nanosecond():
    assert logged_seconds([1.23456e-6]) == (1.2346e-6,)
    (rounded,) = logged_seconds([2.00000000004e-3])
    assert rounded == pytest.approx(2e-3, abs=1e-10)


def test_a_candidate_recorded_again_answers_with_its_first_and_lends_all_samples():
    table = RecordedTable([trial("a", (1e-6,)), trial("a", (), "run crash: x")])
    table.add(trial("a", (2e-6, 3e-6)))
    assert table.first("a").samples == (1e-6,)
    assert table.samples("a") == [1e-6, 2e-6, 3e-6]


def test_one_table_holds_several_logs():
    logs = [[trial("a", (1e-6,), kernel="conv")], [trial("b", (2e-6,), kernel="pool")]]
    table = RecordedTable(one for log in logs for one in log)
    assert [table.first(name).samples for name in "ab"] == [(1e-6,), (2e-6,)]
