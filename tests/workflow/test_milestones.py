"""A sweep of trial counts as one search: what it measures, and what a change of it makes again."""

import re

import pytest

from rivulet.records.stored import log_trials
from workflow.conftest import Checkout, small_models


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A finished sweep over one model's logs, and a droplet log of its middle."""
    checkout = Checkout(tmp_path_factory.mktemp("sweep"))
    checkout.models = {"wide": small_models(checkout.folder)["wide"]}
    configure(checkout, [16, 24, 40])
    run = checkout.snakemake(*logs(16, 24, 40), DROPLET, cores=4)
    assert run.code == 0, run.text
    checkout.run = run
    return checkout


DROPLET = "results/local/logs/droplet-24/wide/log.json"


def configure(checkout, trials):
    checkout.configure(checkout.models, trials=trials)


def logs(*counts):
    return [f"results/local/logs/ansor-{count}/wide/log.json" for count in counts]


def published(checkout, count):
    return (checkout.folder / f"results/local/logs/ansor-{count}/wide/trials.csv").read_text()


def measured(checkout):
    """Number of candidates that were measured in all."""
    journals = checkout.folder.glob("results/local/journals/ansor/wide/*/*/log.sqlite")
    return sum(len(log_trials(journal.parent)) for journal in journals)


def test_a_sweep_measures_what_its_largest_member_does(swept):
    assert measured(swept) == 40
    for smaller, larger in ((16, 24), (24, 40)):
        assert published(swept, larger).startswith(published(swept, smaller))
        assert published(swept, smaller).count("\n") == smaller + 1
    # Each job measures its own part, the smallest first, so that what follows it starts early.
    finished = re.findall(r"search wide +(\d+)/\1 trials", swept.run.text)
    assert finished == ["16", "24", "40"]


def test_changes_of_a_sweep_cost_their_difference(swept):
    configure(swept, [16, 24, 40, 56])
    assert swept.plan(*logs(16, 24, 40, 56), DROPLET).jobs == {"search_schedules": 1}
    assert swept.snakemake(*logs(56)).code == 0
    assert measured(swept) == 56
    # One more in between, and one less.
    configure(swept, [16, 32, 40, 56])
    assert swept.plan(*logs(16, 24, 40, 56), DROPLET).jobs == {}
    run = swept.snakemake(*logs(32))
    assert run.code == 0, run.text
    assert "the first 32 trials of a longer search, taken from" in run.text
    assert measured(swept) == 56
    assert published(swept, 40).startswith(published(swept, 32))
    assert swept.plan(*logs(16, 32, 40, 56), DROPLET).jobs == {}
    # A lost log comes back from the journal, whatever the config names by now.
    before = published(swept, 40)
    (swept.folder / logs(40)[0]).unlink()
    configure(swept, [40])
    assert swept.snakemake(*logs(40)).code == 0
    assert published(swept, 40) == before
    assert measured(swept) == 56
