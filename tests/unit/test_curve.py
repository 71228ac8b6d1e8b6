"""Latency over search time, from the log alone."""

import pytest

from rivulet.errors import UserError
from rivulet.records.curve import Curve, Progress, read_curve

HEADER = (
    "trial,elapsed_s,kernel,batch,strategy,candidate,propose_s,build_s,run_s,samples_us,error,"
    "best_us,model_ms\n"
)


def curve(*moments):
    return Curve(Progress(*moment) for moment in moments)


def test_latency_after_some_search():
    one = curve((1.0, 8, 9.0), (2.0, 16, 9.5), (3.0, 24, 7.0))
    assert one.at(0.5) is None
    assert one.at(1.0) == one.at(2.9) == 9.0
    assert one.at(100) == 7.0


def test_search_until_some_latency():
    one = curve((1.0, 8, 9.0), (3.0, 24, 7.0))
    assert one.reach(9.0).seconds == 1.0
    assert one.reach(8.9).trials == 24
    assert one.reach(6.9) is None
    assert curve().reach(1.0) is None
    assert curve().at(1.0) is None


def test_rows_before_every_kernel_has_a_schedule_tell_nothing(tmp_path):
    rows = ["1,0.5,a,1,s,c1,0,0,0,[1.0],,1.0,\n", "2,1.5,b,2,s,c2,0,0,0,[1.0],,1.0,0.002\n"]
    path = tmp_path / "trials.csv"
    path.write_text(HEADER + "".join(rows))
    (moment,) = read_curve(path).moments
    assert (moment.seconds, moment.trials, moment.model_ms) == (1.5, 2, 0.002)


def test_what_is_no_table_of_trials_is_said(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"trials\.csv: not readable as the trials of a search"):
        read_curve(path)
