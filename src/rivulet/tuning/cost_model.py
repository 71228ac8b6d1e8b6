"""A learned model of how fast a schedule is, shared by the kernels of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

# Column of TVM's per-store features that counts floating-point multiply-adds (as a logarithm):
# the store with most of them is where the kernel spends its time.
_MULTIPLY_ADDS = slice(0, 4)
# Rows that a training looks at. Bounded, so that a batch costs as much after 20,000 trials as
# after 1,000.
_TRAINING_ROWS = 1200
_FASTEST_SHARE = 0.4
_RETRAIN_AFTER = 0.1
_RETRAIN_AT_MOST = 64
_ROUNDS = 60
_PARAMETERS = {
    "objective": "reg:squarederror",
    "max_depth": 6,
    "eta": 0.2,
    "min_child_weight": 1.0,
    "tree_method": "hist",
    "verbosity": 0,
}


class CostModel(Protocol):
    """Ranks schedules by what was measured of others."""

    def add(self, kernel: str, features: Sequence[Features], latencies: Sequence[float]) -> None:
        """Learn measurements of a kernel.

        Args:
            kernel: The kernel's name.
            features: Feature vector of each schedule.
            latencies: Seconds of each; infinite for one that failed.
        """

    def predict(self, features: Sequence[Features]) -> NDArray[np.float64]:
        """Score of each schedule; a higher one is expected to be faster."""


class BoostedTrees:
    """Gradient-boosted regression trees on a schedule's speed relative to its kernel's best.

    As in Ansor (Zheng et al., OSDI 2020, section 5.2) one model serves all kernels; unlike there,
    one vector of features describes a whole schedule.

    Args:
        seed: Seed of the training.
        threads: Threads that a training uses.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self._random = np.random.default_rng(seed)
        self._parameters = {**_PARAMETERS, "seed": seed, "nthread": threads}
        self._rows: list[Features] = []
        self._kernels: list[str] = []
        self._latencies: list[float] = []
        self._trained_on = 0
        self._booster: Any = None

    def add(self, kernel: str, features: Sequence[Features], latencies: Sequence[float]) -> None:
        """Learn measurements of a kernel; see `CostModel.add`."""
        self._rows += features
        self._kernels += [kernel] * len(features)
        self._latencies += latencies

    def predict(self, features: Sequence[Features]) -> NDArray[np.float64]:
        """Score of each schedule; equal ones while there is nothing to learn from."""
        self._train_if_stale()
        if self._booster is None or not features:
            return np.zeros(len(features))
        scores = self._booster.inplace_predict(np.stack(features))
        return np.asarray(scores, dtype=np.float64)

    def _train_if_stale(self) -> None:
        new = len(self._rows) - self._trained_on
        if new == 0 or new < min(_RETRAIN_AT_MOST, _RETRAIN_AFTER * len(self._rows)):
            return
        import xgboost

        speeds = self._speeds()
        chosen = self._training_rows(speeds)
        matrix = xgboost.QuantileDMatrix(
            np.stack([self._rows[i] for i in chosen]), speeds[chosen],
            nthread=self._parameters["nthread"],
        )  # fmt: skip
        self._booster = xgboost.train(self._parameters, matrix, _ROUNDS)
        self._trained_on = len(self._rows)

    def _speeds(self) -> NDArray[np.float64]:
        """Best latency of the kernel over each schedule's own, from 0 (failed) to 1."""
        latencies = np.array(self._latencies)
        kernels = np.array(self._kernels)
        speeds = np.zeros(len(latencies))
        for name in dict.fromkeys(self._kernels):
            own = kernels == name
            best = latencies[own].min()
            if np.isfinite(best):
                speeds[own] = best / latencies[own]
        return speeds

    def _training_rows(self, speeds: NDArray[np.float64]) -> NDArray[np.intp]:
        """Rows to train on: the fastest, because ranks matter among them, and a sample."""
        if len(speeds) <= _TRAINING_ROWS:
            return np.arange(len(speeds))
        order = np.argsort(-speeds, kind="stable")
        fastest = order[: int(_FASTEST_SHARE * _TRAINING_ROWS)]
        rest = order[len(fastest) :]
        sample = self._random.choice(rest, _TRAINING_ROWS - len(fastest), replace=False)
        return np.sort(np.concatenate([fastest, sample]))


class RandomOrder:
    """No model: every schedule is as promising as any other.

    Args:
        seed: Seed of the order.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def add(self, kernel: str, features: Sequence[Features], latencies: Sequence[float]) -> None:
        """Learn nothing."""

    def predict(self, features: Sequence[Features]) -> NDArray[np.float64]:
        """Random scores."""
        return self._random.random(len(features))


def summarise(stores: NDArray[np.float32]) -> Features:
    """One vector for a schedule: the features of its busiest store, and the sum over all.

    Args:
        stores: TVM's per-store features, (stores, features).

    Returns:
        Vector of twice as many features.
    """
    if not len(stores):
        return np.zeros(2 * stores.shape[1], np.float32)
    busiest = stores[int(stores[:, _MULTIPLY_ADDS].sum(axis=1).argmax())]
    return np.concatenate([busiest, stores.sum(axis=0)]).astype(np.float32)


def make_cost_model(name: str, seed: int, threads: int) -> CostModel:
    """The cost model of the config's name: ``xgb`` or ``random``."""
    return RandomOrder(seed) if name == "random" else BoostedTrees(seed, threads)
