"""Milestones of one growing log: which log serves a trial count, and what is known of it."""

import pytest

from rivulet.records.chain import (
    chain_folder,
    measuring_code,
    milestone_facts,
    remember_milestone,
)
from rivulet.records.files import TRIALS
from rivulet.records.storage import JOURNAL, open_storage
from rivulet.records.trials import Trial, write_trials

TRIAL = Trial(1, 1.0, "a", 1, "evolutionary", "c1", 0.1, 0.1, 0.1, "[5.0]", "", "", "")


def begin(folder):
    with open_storage(folder / JOURNAL) as storage:
        storage.add([TRIAL])
    return folder


def begin_as_earlier(folder):
    write_trials(folder / TRIALS, [TRIAL])
    return folder


def test_all_milestones_share_one_log_whichever_comes_first(tmp_path):
    small, size = chain_folder(tmp_path, own=4, planned=4)
    large, same_size = chain_folder(tmp_path, own=16, planned=4)
    assert (small, size) == (large, same_size)
    assert size == 4


@pytest.mark.parametrize("begin", [begin, begin_as_earlier])
def test_a_log_that_was_begun_is_gone_on_with_whatever_the_config_names_now(tmp_path, begin):
    begun = begin(chain_folder(tmp_path, own=4, planned=4)[0])
    assert chain_folder(tmp_path, own=16, planned=16) == (begun, 4)
    assert chain_folder(tmp_path, own=8, planned=8) == (begun, 4)


def test_a_smaller_milestone_is_not_served_by_a_log_with_larger_first_rounds(tmp_path):
    large = begin(chain_folder(tmp_path, own=16, planned=16)[0])
    small, size = chain_folder(tmp_path, own=4, planned=4)
    assert small != large
    assert size == 4
    begin(small)
    assert chain_folder(tmp_path, own=16, planned=4) == (large, 16)


def test_a_log_without_trials_binds_nobody(tmp_path):
    chain_folder(tmp_path, own=16, planned=16)
    assert chain_folder(tmp_path, own=16, planned=4)[1] == 4


def test_milestones_are_remembered_with_the_code_that_measured_them(tmp_path):
    assert milestone_facts(tmp_path, 500) is None
    assert measuring_code(tmp_path, 500, "now") == "now"
    remember_milestone(tmp_path, 500, {"code": "old", "trials_measured": 500})
    remember_milestone(tmp_path, 1000, {"code": "new", "trials_measured": 1000})
    assert milestone_facts(tmp_path, 500) == {"code": "old", "trials_measured": 500}
    assert measuring_code(tmp_path, 300, "now") == "old"
    assert measuring_code(tmp_path, 700, "now") == "new"
    assert measuring_code(tmp_path, 5000, "now") == "now"
    (tmp_path / "milestones.json").write_text('{"500": {"co')  # as a power failure may leave it
    assert milestone_facts(tmp_path, 500) is None
