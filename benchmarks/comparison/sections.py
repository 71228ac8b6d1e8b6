"""The sections of the comparison: the runs that each needs, and the figures it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from comparison.figures import geometric_mean, rate_ratio
from comparison.histories import History, MeasuredTrial, net_rate, ratios_at_equal_time
from comparison.launch import BENCHMARKS
from comparison.plan import STOCK_BATCH, Conditions, Options, Planner, peer_batch
from comparison.run import Run
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import bootstrap_median_interval, median

GROWTH_SCRIPT = BENCHMARKS / "batch_cost.py"
_SHARES = (0.25, 0.5, 1.0)

Kept = Mapping[str, Any]
Lookup = Callable[[Run], Kept]


class Comparison:
    """The runs of the sections that were asked for, and their figures.

    Args:
        options: What was asked for.
        conditions: What all runs share.
        kept: Gives what is kept of a finished run.
    """

    def __init__(self, options: Options, conditions: Conditions, kept: Lookup) -> None:
        self._options, self._conditions, self._kept = options, conditions, kept
        self._planner = Planner(conditions)

    def preparations(self) -> list[Run]:
        """Runs that have to be finished before the others can be planned."""
        chosen, options = self._options.sections, self._options
        subjects: list[tuple[str, int]] = []
        if {"throughput", "first_trial"} & set(chosen):
            subjects.append((options.throughput_model, options.size))
        if "quality" in chosen:
            subjects += [(model, options.quality_size) for model in options.quality_models]
        if "onnxruntime" in chosen:
            subjects += [(model, options.size) for model in options.models]
        return [self._planner.prepared(*subject) for subject in dict.fromkeys(subjects)]

    def runs(self) -> list[Run]:
        """All further runs, each once, in the order in which they should be done."""
        chosen = self._options.sections
        wanted: list[Run] = []
        if {"throughput", "first_trial"} & set(chosen):
            wanted += [run for pair in self._alternating() for run in pair]
        if "throughput" in chosen and self._options.stock_batch:
            wanted.append(self._with_stock_batch())
        if "quality" in chosen:
            for _, _, trio in self._matches():
                wanted += trio
        if "growth" in chosen and GROWTH_SCRIPT.exists():
            wanted.append(self._growth())
        if "onnxruntime" in chosen:
            for model in self._options.models:
                wanted += self._whole(model)
        return list({run.name: run for run in wanted}.values())

    def figures(self) -> dict[str, Any]:
        """Figures of each section; call it when all `runs` are finished."""
        chosen = self._options.sections
        makers = {
            "throughput": self._throughput, "first_trial": self._first_trial,
            "quality": self._quality, "growth": self._growth_figures,
            "onnxruntime": self._onnxruntime,
        }  # fmt: skip
        return {name: make() for name, make in makers.items() if name in chosen} | {
            "memory": self._memory()
        }

    def _batch(self, model: str, size: int, trials: int) -> int:
        kernels = self._kept(self._planner.prepared(model, size))["result"]["kernels"]
        return peer_batch(trials, len(kernels))

    def _alternating(self) -> list[tuple[Run, Run]]:
        options = self._options
        subject = (options.throughput_model, options.size, options.throughput_trials)
        batch = options.peer_batch or self._batch(*subject)
        repeats = options.repeats if "throughput" in options.sections else 1
        seed = self._conditions.seed
        return [
            (
                self._planner.ours(*subject, seed, repeat),
                self._planner.peer(*subject, seed, batch, repeat),
            )
            for repeat in range(1, repeats + 1)
        ]

    def _with_stock_batch(self) -> Run:
        options = self._options
        return self._planner.peer(
            options.throughput_model, options.size, options.throughput_trials,
            self._conditions.seed, STOCK_BATCH,
        )  # fmt: skip

    def _throughput(self) -> dict[str, Any]:
        pairs = [(self._kept(ours), self._kept(peer)) for ours, peer in self._alternating()]
        rates = {
            side: [_rates(pair[index]) for pair in pairs]
            for index, side in enumerate(("ours", "peer"))
        }
        figures: dict[str, Any] = {
            "runs": rates,
            "whole": asdict(_ratio_of(rates, "whole_rate")),
            "net": asdict(_ratio_of(rates, "net_rate")),
            "peer_batch": self._alternating()[0][1].spec["batch"],
        }
        if self._options.stock_batch:
            stock = _rates(self._kept(self._with_stock_batch()))
            ours = geometric_mean([one["whole_rate"] for one in rates["ours"]])
            figures["with_stock_batch"] = {
                **stock, "batch": STOCK_BATCH, "ratio": ours / stock["whole_rate"]
            }  # fmt: skip
        return figures

    def _first_trial(self) -> dict[str, float]:
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for pair in self._alternating():
            for side, run in zip(times, pair, strict=True):
                times[side].append(min(trial.at for trial in _trials(self._kept(run))))
        return {side: median(values) for side, values in times.items()}

    def _matches(self) -> list[tuple[str, int, tuple[Run, Run, Run]]]:
        options, found = self._options, []
        for model in options.quality_models:
            subject = (model, options.quality_size, options.quality_trials)
            batch = options.quality_peer_batch or self._batch(*subject)
            for seed in options.seeds:
                ours = self._planner.ours(*subject, seed)
                peer = self._planner.peer(*subject, seed, batch)
                again = self._planner.remeasured(ours, peer, options.rounds)
                found.append((model, seed, (ours, peer, again)))
        return found

    def _quality(self) -> dict[str, Any]:
        rows = [self._match(*match) for match in self._matches()]
        return {
            "matches": rows,
            "ratio": geometric_mean([row["equal_trials"]["value"] for row in rows]),
            "equal_time": {
                str(share): geometric_mean([row["equal_time"][str(share)] for row in rows])
                for share in _SHARES
            },
        }

    def _match(self, model: str, seed: int, trio: tuple[Run, Run, Run]) -> dict[str, Any]:
        ours, peer, again = (self._kept(run) for run in trio)
        rows = again["result"]["kernels"]
        kernels = [
            KernelSamples(row["weight"], row["samples"]["ours"], row["samples"]["peer"])
            for row in rows
        ]
        benchmark = self._conditions.benchmark
        ratio = latency_ratio(
            kernels, benchmark["confidence"], benchmark["bootstrap_resamples"], benchmark["seed"]
        )
        weights = {row["kernel"]: row["weight"] for row in rows}
        untuned = {row["kernel"]: row["untuned"] for row in rows}
        histories = [History(_trials(one), weights, untuned) for one in (ours, peer)]
        equal_time = ratios_at_equal_time(histories[0], histories[1], _SHARES)
        return {
            "model": model,
            "seed": seed,
            "trials": {"ours": len(_trials(ours)), "peer": len(_trials(peer))},
            "peer_batch": trio[1].spec["batch"],
            "seconds": {"ours": histories[0].end, "peer": histories[1].end},
            "latency_ms": {
                side: 1e3 * sum(row["weight"] * median(row["samples"][side]) for row in rows)
                for side in ("ours", "peer")
            },
            "equal_trials": asdict(ratio),
            "equal_time": {str(share): value for share, value in equal_time.items()},
            "default_loops": {
                side: [row["kernel"] for row in rows if side in row["default_loops"]]
                for side in ("ours", "peer")
            },
        }

    def _growth(self) -> Run:
        return self._planner.growth(self._options.growth_trials, GROWTH_SCRIPT)

    def _growth_figures(self) -> dict[str, Any]:
        if not GROWTH_SCRIPT.exists():
            return {"missing": f"{GROWTH_SCRIPT} is not there, so this section was left out"}
        return dict(self._kept(self._growth())["result"])

    def _whole(self, model: str) -> tuple[Run, Run]:
        options = self._options
        ours = self._planner.own(model, options.size, options.trials, self._conditions.seed)
        prepared = self._kept(self._planner.prepared(model, options.size))
        return ours, self._planner.whole_model(ours, prepared["result"]["inputs"])

    def _onnxruntime(self) -> dict[str, Any]:
        from comparison.whole_model import OURS, PEER

        benchmark = self._conditions.benchmark
        models = {}
        for model in self._options.models:
            result = self._kept(self._whole(model)[1])["result"]
            rows: dict[str, Any] = {}
            for side, name in (("ours", OURS), ("onnxruntime", PEER)):
                samples = result["samples_ms"][name]
                low, high = bootstrap_median_interval(
                    samples, benchmark["confidence"], benchmark["bootstrap_resamples"],
                    benchmark["seed"],
                )  # fmt: skip
                rows[side] = {"ms": median(samples), "low": low, "high": high}
            # The sides are timed in turns, so each round gives a ratio of its own: what slows
            # the machine down for a while slows down both.
            paired = [
                ours / theirs
                for ours, theirs in zip(
                    result["samples_ms"][OURS], result["samples_ms"][PEER], strict=False
                )
            ]
            low, high = bootstrap_median_interval(
                paired, benchmark["confidence"], benchmark["bootstrap_resamples"],
                benchmark["seed"],
            )  # fmt: skip
            rows["ratio"] = {"value": median(paired), "low": low, "high": high}
            models[model] = rows
        ratios = {model: rows["ratio"]["value"] for model, rows in models.items()}
        named = ratios.get(self._options.throughput_model)
        return {
            "models": models,
            "ratio": geometric_mean(list(ratios.values())) if named is None else named,
        }

    def _memory(self) -> dict[str, Any]:
        peaks: dict[str, Any] = {}
        for side in ("ours", "peer"):
            kept = [self._kept(run) for run in self.runs() if run.program == side]
            if kept:
                peaks[side] = {
                    key: max(one[key] for one in kept)
                    for key in (
                        "main_peak_gib", "worker_peak_gib", "workers_together_peak_gib",
                        "left_files", "left_folders", "left_mib",
                    )
                }  # fmt: skip
        return peaks


def summary(figures: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """The six figures in one object; null for what was not run."""
    peaks = [figures["memory"].get("ours", {}).get("main_peak_gib")]
    growth = figures.get("growth", {})
    peaks.append(growth.get("rss_gib"))
    known = [peak for peak in peaks if peak is not None]
    return {
        "throughput_ratio": figures.get("throughput", {}).get("whole", {}).get("value"),
        "quality_ratio": figures.get("quality", {}).get("ratio"),
        "first_trial_s": figures.get("first_trial", {}).get("ours"),
        "batch_cost_growth": growth.get("batch_cost_growth"),
        "rss_gib": max(known) if known else None,
        "vs_onnxruntime": figures.get("onnxruntime", {}).get("ratio"),
        "quick": quick,
    }


def _trials(kept: Kept) -> list[MeasuredTrial]:
    return [MeasuredTrial(**trial) for trial in kept["result"]["trials"]]


def _rates(kept: Kept) -> dict[str, float]:
    trials = _trials(kept)
    return {
        "trials": len(trials),
        "failed": sum(trial.latency is None for trial in trials),
        "kernels": len({trial.kernel for trial in trials}),
        "wall_s": kept["wall_s"],
        "first_trial_s": min(trial.at for trial in trials),
        "whole_rate": len(trials) / kept["wall_s"],
        "net_rate": net_rate(trials),
    }


def _ratio_of(rates: Mapping[str, list[dict[str, float]]], key: str) -> Any:
    return rate_ratio([run[key] for run in rates["ours"]], [run[key] for run in rates["peer"]])
