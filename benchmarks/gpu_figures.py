#!/usr/bin/env python3
"""What search, droplet and transfer reach on this machine's GPU, end to end, in minutes.

Takes two or more of torchvision's models. For each: its latency with TVM's default threads, after a
search, after droplet search on what the search found, and with schedules transferred from the model
before it; where PyTorch has this GPU, its latency there as well, eager and as a CUDA graph. All are
timed by turns in one process, with outputs checked against ONNX Runtime.

With --folder, logs stay there, and a run that was cut off goes on from them.

Output: lines for people, and as the last line one JSON object, which --out writes to a file too.
"""

import argparse
import collections
import contextlib
import json
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
import _gpu_torch
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.config.sections import Droplet, Measure, Search, Transfer
from rivulet.droplet import DropletSearch, DropletSettings, read_source
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.settle import settle_all
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.hardware import Device, device_lock
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.open_place import open_place
from rivulet.hardware.target import resolve_target
from rivulet.jobs.progress import Progress
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.gpu_roofline import gpu_bandwidth, gpu_operations
from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import median
from rivulet.models.description import check_onnx
from rivulet.models.export import export_torchvision
from rivulet.records import TuningLog
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.transfer import TransferSettings, TransferTuning, load_source
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tvm_compat import installed_version, load_tvm

MODELS = ("resnet18", "squeezenet1_1")
ROOF_SAMPLES = 11
MOST_THREADS = 8  # that propose candidates
WEIGHTS, SEED = "random", 0
CONFIDENCE, RESAMPLES = 0.95, 2000
LOGGER = logging.getLogger("rivulet")


def say(text):
    """A line for people, at once."""
    print(text, flush=True)


def waiting(holder):
    """Who else uses the machine."""
    print(f"waiting: {holder}", file=sys.stderr, flush=True)


def quiet(*_):
    """No progress."""


def worker_settings(options):
    """How candidates are measured: the config's defaults, but for how they are compiled."""
    execution = {
        "build_workers": options.workers, "build_timeout_s": options.build_timeout,
        "worker_memory_gib": 8,
    }  # fmt: skip
    return {**Measure().model_dump(mode="json"), "cold_weights": False, **execution}


class Runs:
    """Everything that is done to one model, and what came of it.

    Args:
        name: torchvision's name of the model.
        device: The GPU.
        folder: Folder for logs and libraries.
        bench: Measures kernels.
        options: The command line.
    """

    def __init__(self, name, device, folder, bench, options):
        self.name, self.device, self.bench = name, device, bench
        self.folder, self.options = folder / name, options
        self.folder.mkdir(parents=True, exist_ok=True)
        self.target, self.path = resolve_target(device), self.folder / "model.onnx"
        self.definition = {
            "torchvision": name, "shape": [1, 3, options.size, options.size],
            "weights": WEIGHTS, "seed": SEED,
        }  # fmt: skip
        export_torchvision(name, self.definition["shape"], WEIGHTS, SEED, path=self.path, say=quiet)
        self.model = prepare_model(self.path, self.target)
        self.kernels = extract_kernels(self.model, self.target)
        self.logs, self.facts = {"untuned": None}, {}

    def log(self, name, fresh=False):
        """A log of this model; a fresh one has nothing of an earlier run."""
        if fresh:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return TuningLog(self.folder / name)

    def progress(self, method, total):
        """Says how a method stands, every few seconds."""
        unit = "kernels" if method == "transfer" else "trials"
        return Progress(say, f"{self.name} {method}", total, unit).update

    def note(self, method, log, trials, seconds):
        """Keep a method's log and what it took."""
        self.logs[method] = log
        reasons = collections.Counter(t.error.splitlines()[0][:90] for t in trials if t.error)
        self.facts[method] = {
            "seconds": round(seconds, 1), "trials": len(trials),
            "propose_s": round(sum(t.propose_s for t in trials), 1),
            "build_s": round(sum(t.build_s for t in trials), 1),
            "run_s": round(sum(t.run_s for t in trials), 1),
            "failed": dict(reasons.most_common(6)),
        }  # fmt: skip
        say(
            f"{self.name} {method}: {len(trials)} candidates in {seconds:.1f} s, "
            f"{sum(reasons.values())} failed {dict(reasons) or ''}".rstrip()
        )

    def session(self, log, report):
        """What a strategy works in."""
        return Session(
            self.kernels, target=self.target, threads=self.device.threads, log=log,
            bench=self.bench, logger=LOGGER, report=report,
        )  # fmt: skip

    def search(self):
        """Search."""
        log = self.log("ansor")
        session = self.session(log, self.progress("ansor", self.options.trials))
        settings = SearchSettings(**Search().model_dump(mode="json"))
        tune(EvolutionarySearch(settings), session, TrialBudget(self.options.trials))
        self.note("ansor", log, log.trials, log.elapsed())

    def droplet(self):
        """Refine what the search has found."""
        settings = DropletSettings(
            **{**Droplet().model_dump(mode="json"), "trials": self.options.droplet}
        )
        walk, report = self.log("walk"), self.progress("droplet", self.options.droplet)
        earlier, started = walk.elapsed(), time.monotonic()
        ansor = self.folder / "ansor"
        source = read_source(ansor, self.kernels, self.folder, True, logger=LOGGER)
        strategy = DropletSearch(settings, source)
        tune(strategy, self.session(walk, report), TrialBudget(settings.trials))
        settled = settle_all(strategy.descents, settings, self.bench, quiet, logger=LOGGER)
        combined = self.folder / "droplet"
        combine_logs(
            settled,
            self.target,
            ansor,
            walk.trials,
            scratch=self.folder,
            combined=combined,
            logger=LOGGER,
        )
        log = open_thinned(read_log(combined), self.folder / "best")
        self.note("droplet", log, walk.trials, earlier + time.monotonic() - started)
        say(f"{self.name} droplet: {sum(d.moves for d in strategy.descents)} moves")

    def transfer(self, source):
        """Take over the schedules that another model's search has found."""
        settings = TransferSettings(
            **{
                **Transfer().model_dump(mode="json"),
                "candidates_per_kernel": self.options.candidates,
            }
        )
        lent = load_source(
            source.name, source.folder / "ansor", source.kernels, self.folder,
            best=settings.records_per_source_kernel, logger=LOGGER,
        )  # fmt: skip
        measured, chosen = self.log("measured"), self.log("transfer", fresh=True)
        earlier, started = measured.elapsed(), time.monotonic()
        strategy = TransferTuning(settings, [lent], scratch=self.folder, space="stock")
        tune(strategy, self.session(measured, self.progress("transfer", len(self.kernels))))
        result = strategy.result
        result.record(chosen, self.target)
        self.note("transfer", chosen, measured.trials, earlier + time.monotonic() - started)
        taken = sum(r.chosen == "yes" and r.kind != "default" for r in result.rows)
        say(f"{self.name} transfer: {taken} of {len(self.kernels)} kernels take one")

    def benchmark(self):
        """Latency in milliseconds of each method: the samples of all, taken in turns."""
        place = open_place(self.device.location)
        inputs = check_onnx(self.path)["inputs"]
        generator = np.random.default_rng(SEED)
        arrays = [generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in inputs]
        reference = OnnxRuntimeModel(self.path, self.device.threads)
        expected = outputs(reference, arrays)
        variants, errors = {}, {}
        for method, log in self.logs.items():
            library = self.folder / f"{method}.so"
            compile_model(self.model, self.target, log, library)
            variants[method] = CompiledModel(library, self.model.params, place)
        for method in _gpu_torch.METHODS:
            try:
                variants[method] = _gpu_torch.TorchOnGpu(self.definition, method)
            except _gpu_torch.NoGpuForTorch as problem:
                say(f"{self.name} {method}: {problem}")
        for method, variant in variants.items():
            errors[method] = float(largest_relative_error(outputs(variant, arrays), expected))
        timing = TimingSettings(SEED, 3, self.options.samples, 20.0, 1.0, 30.0)
        samples = time_interleaved(variants, timing, quiet)
        rows = {}
        for method, many in samples.items():
            middle = median(many)
            ratio = times_untuned(samples, method)
            rows[method] = {
                "latency_ms": middle, "error": errors[method], "samples_ms": many,
                "times_untuned": [ratio.value, ratio.low, ratio.high],
                **self.facts.get(method, {}),
            }  # fmt: skip
            say(
                f"{self.name:16} {method:11} {middle:9.4f} ms ({min(many):.4f}-{max(many):.4f}), "
                f"{ratio.value:6.2f}x untuned ({ratio.low:.2f}-{ratio.high:.2f}), "
                f"error {errors[method]:.1e}"
            )
        return rows


def times_untuned(samples, method):
    """How many times faster than untuned, of rounds in which both were sampled."""
    own, peer = samples[method], samples["untuned"]
    rounds = min(len(own), len(peer))
    pair = KernelSamples(1, peer[:rounds], own[:rounds])
    return latency_ratio([pair], CONFIDENCE, RESAMPLES, SEED)


def outputs(variant, arrays):
    """Outputs for the inputs."""
    variant.bind(arrays)
    variant.run()
    return [np.array(one) for one in variant.outputs()]


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="+", default=MODELS, metavar="NAME",
        help=f"torchvision's names, in the order of transfers (default: {' '.join(MODELS)})",
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=224, help="of the image (default: 224)")
    parser.add_argument("--target", default="cuda", help="a TVM target as JSON (default: detect)")
    parser.add_argument("--trials", type=int, default=400, help="of a search (default: 400)")
    parser.add_argument("--droplet", type=int, default=100, help="trials of droplet search")
    parser.add_argument("--candidates", type=int, default=4, help="transferred, per kernel")
    parser.add_argument("--samples", type=int, default=15, help="of a latency (default: 15)")
    parser.add_argument(
        "--workers", type=int, default=usable_cpus(), help="that compile (default: one per CPU)"
    )
    parser.add_argument(
        "--build-timeout", type=float, default=10, help="seconds to compile one (default: 10)"
    )
    parser.add_argument("--folder", type=Path, help="keep logs here, and go on from them")
    parser.add_argument("--out", type=Path, help="file to write the JSON to as well")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    device = Device("gpu", options.target, min(MOST_THREADS, usable_cpus()))
    load_tvm(device.threads)
    target, state, place = resolve_target(device), environment(device), open_place(device.location)
    say(f"{state['gpu']}, driver {state['driver']}, TVM {installed_version()}: {target}")
    with contextlib.ExitStack() as held:
        scratch = options.folder or held.enter_context(tempfile.TemporaryDirectory())
        for name, shared in device.locks:
            held.enter_context(device_lock(name, "benchmarks/gpu_figures.py", waiting, shared))
        folder = Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        roofs = {
            "gflops": max(gpu_operations(target, ROOF_SAMPLES, place)) * 1e-9,
            "gb_per_s": max(gpu_bandwidth(target, ROOF_SAMPLES, place)) * 1e-9,
        }
        say(f"roofs: {roofs['gflops']:.0f} GFLOP/s, {roofs['gb_per_s']:.0f} GB/s")
        with Bench(
            target, device.threads, worker_settings(options), folder, model_weights=None,
            keep_built=True, location=device.location,
        ) as bench:  # fmt: skip
            models: list[Runs] = []
            results = {}
            for name in options.models:
                models.append(Runs(name, device, folder, bench, options))
                models[-1].search()
                models[-1].droplet()
                if len(models) > 1:
                    models[-1].transfer(models[-2])
                results[models[-1].name] = models[-1].benchmark()
                # At once: the machine may be lent for minutes only.
                text = json.dumps({"environment": state, "roofs": roofs, "models": results})
                if options.out:
                    options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
