"""The learned cost model on made-up features with a known law."""

import numpy as np
import pytest

from rivulet.tuning.cost_model import BoostedTrees, RandomOrder, summarise

KERNELS = ("small", "large")


def schedules(count, seed):
    return np.random.default_rng(seed).random((count, 12)).astype(np.float32)


def latency(kernel, row):
    """A law that both kernels share, on scales a thousand times apart."""
    return {"small": 1e-6, "large": 1e-3}[kernel] * (1 + 3 * row[2] + 2 * abs(row[5] - 0.5))


def taught(model, count=300):
    for number, kernel in enumerate(KERNELS):
        rows = list(schedules(count, number))
        model.add(kernel, rows, [latency(kernel, row) for row in rows])
    return model


def rank_correlation(first, second):
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return np.corrcoef(*ranks)[0, 1]


def test_it_ranks_schedules_that_it_has_not_seen():
    model = taught(BoostedTrees(seed=1, threads=1))
    rows = list(schedules(200, 99))
    scores = model.predict(rows)
    assert rank_correlation(scores, [-latency("large", row) for row in rows]) > 0.9


def test_failed_schedules_count_as_the_slowest():
    model = BoostedTrees(seed=1, threads=1)
    rows = list(schedules(300, 3))
    model.add("k", rows, [float("inf") if row[0] > 0.5 else 1e-3 for row in rows])
    low, high = np.zeros(12, np.float32), np.zeros(12, np.float32)
    high[0] = 0.9
    scores = model.predict([low, high])
    assert scores[0] > scores[1] + 0.5


def test_the_same_seed_gives_the_same_scores_and_another_another_order():
    rows = list(schedules(50, 9))
    first, again = (taught(BoostedTrees(5, 1), 900).predict(rows) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(RandomOrder(5).predict(rows), RandomOrder(5).predict(rows))
    assert not np.array_equal(RandomOrder(5).predict(rows), RandomOrder(6).predict(rows))


@pytest.mark.parametrize("count", [0, 1])
def test_with_nothing_to_learn_from_all_are_alike(count):
    model = BoostedTrees(seed=1, threads=1)
    model.add("k", list(schedules(count, 1)), [1e-3] * count)
    assert len(set(model.predict(list(schedules(5, 2))))) == 1


def test_a_training_looks_at_no_more_rows_however_long_the_log():
    model = taught(BoostedTrees(seed=1, threads=1), 5000)
    chosen = model._training_rows(model._speeds())
    assert len(chosen) == len(set(chosen)) == 1200
    fastest = np.argsort(-model._speeds())[:400]
    assert set(fastest) <= set(chosen)


def test_a_schedule_is_described_by_its_busiest_store_and_by_all_together():
    stores = np.zeros((2, 164), np.float32)
    stores[0, 1], stores[0, 20] = 3, 7
    stores[1, 1], stores[1, 20] = 9, 2
    vector = summarise(stores)
    assert vector.shape == (328,)
    assert vector[20] == 2
    assert vector[164 + 20] == 9
