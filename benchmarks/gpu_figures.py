#!/usr/bin/env python3
"""What search, droplet and transfer reach on this machine's GPU, end to end, in minutes.

Takes two or more ONNX models with float32 inputs of fixed shape. For each: its latency with TVM's
default threads, after a search, after droplet search on what the search found, and with schedules
transferred from the model before it, all timed by turns in one process, with outputs checked
against ONNX Runtime. Without --onnx, two of torchvision's models with small inputs are exported.

Output: lines for people, and as the last line one JSON object, which --out writes to a file too.
"""

import argparse
import collections
import contextlib
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.config.sections import Droplet, Measure, Search, Transfer
from rivulet.droplet import DropletSettings, read_source, refine_model
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.settle import settle_all
from rivulet.errors import UserError
from rivulet.hardware import Device, device_lock
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.place import open_place
from rivulet.hardware.target import resolve_target
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.gpu_roofline import gpu_bandwidth, gpu_operations
from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.statistics import median
from rivulet.models.export import check_onnx, export_torchvision
from rivulet.models.prepare import prepare_model
from rivulet.records import TuningLog
from rivulet.search import search_model
from rivulet.transfer import TransferSettings, load_source, transfer_schedules
from rivulet.tvm_compat import installed_version, load_tvm

MODELS = ("resnet18", "squeezenet1_1")
SHAPE = [1, 3, 64, 64]
ROOF_SAMPLES = 11
LOGGER = logging.getLogger("rivulet")


def say(text):
    """A line for people, at once."""
    print(text, flush=True)


def waiting(holder):
    """Who else uses the machine."""
    print(f"waiting: {holder}", file=sys.stderr, flush=True)


def quiet(*_):
    """No progress."""


def worker_settings(workers):
    """How candidates are measured: the config's defaults, and as many builders as asked for."""
    execution = {"build_workers": workers, "worker_max_uses": 500, "worker_memory_gib": 8}
    return {**Measure().model_dump(mode="json"), "cold_weights": False, **execution}


class Runs:
    """Everything that is done to one model, and what came of it.

    Args:
        path: ONNX file.
        device: The GPU.
        folder: Folder for logs and libraries.
        bench: Measures kernels.
        options: The command line.
    """

    def __init__(self, path, device, folder, bench, options):
        self.name, self.path, self.device, self.bench = path.stem, path, device, bench
        self.folder, self.options = folder / path.stem, options
        self.folder.mkdir()
        self.target = resolve_target(device)
        self.model = prepare_model(path, self.target)
        self.kernels = extract_kernels(self.model, self.target)
        self.logs, self.seconds, self.trials, self.failed = {"untuned": None}, {}, {}, {}

    def note(self, method, log, started, trials):
        """Keep a method's log and what it took."""
        self.logs[method] = log
        self.seconds[method] = round(time.monotonic() - started, 1)
        self.trials[method] = len(trials)
        reasons = collections.Counter(t.error.splitlines()[0][:90] for t in trials if t.error)
        self.failed[method] = dict(reasons.most_common(4))
        say(
            f"{self.name} {method}: {len(trials)} candidates in {self.seconds[method]} s, "
            f"{sum(reasons.values())} failed {self.failed[method] or ''}".rstrip()
        )

    def search(self):
        """Search."""
        started, log = time.monotonic(), TuningLog(self.folder / "ansor")
        search_model(
            self.kernels, self.target, self.options.trials, Search().model_dump(mode="json"),
            self.device.threads, log, self.bench, quiet, LOGGER,
        )  # fmt: skip
        self.note("ansor", log, started, log.trials)

    def droplet(self):
        """Refine what the search has found."""
        started, known = time.monotonic(), Droplet().model_dump(mode="json")
        known["trials"] = self.options.droplet
        settings = DropletSettings(**known)
        ansor, walk = self.folder / "ansor", TuningLog(self.folder / "walk")
        source = read_source(ansor, self.kernels, self.folder, True, LOGGER)
        descents = refine_model(
            self.kernels, self.target, settings, source, self.device.threads, walk, self.bench,
            quiet, LOGGER,
        )  # fmt: skip
        settled = settle_all(descents, settings, self.bench, quiet, LOGGER)
        combined = self.folder / "droplet"
        trials = self.folder / "walk" / "trials.csv"
        combine_logs(settled, self.target, ansor, trials, self.folder, combined, LOGGER)
        self.note("droplet", TuningLog(combined), started, walk.trials)
        say(f"{self.name} droplet: {sum(d.moves for d in descents)} moves")

    def transfer(self, source):
        """Take over the schedules that another model's search has found."""
        started, known = time.monotonic(), Transfer().model_dump(mode="json")
        known["candidates_per_kernel"] = self.options.candidates
        settings = TransferSettings(**known)
        lent = load_source(
            source.name, source.folder / "ansor", source.kernels, self.folder,
            settings.records_per_source_kernel, LOGGER,
        )  # fmt: skip
        measured, chosen = (TuningLog(self.folder / name) for name in ("measured", "transfer"))
        result = transfer_schedules(
            self.kernels, [lent], self.target, "stock", settings, self.device.threads, measured,
            chosen, self.bench, self.folder, quiet, LOGGER,
        )  # fmt: skip
        self.note("transfer", chosen, started, measured.trials)
        taken = sum(r.chosen == "yes" and r.kind != "default" for r in result.rows)
        say(f"{self.name} transfer: {taken} of {len(self.kernels)} kernels take one")

    def benchmark(self):
        """Latency in milliseconds of each method: the samples of all, taken in turns."""
        place = open_place(self.device.location)
        inputs = check_onnx(self.path)["inputs"]
        generator = np.random.default_rng(0)
        arrays = [generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in inputs]
        reference = OnnxRuntimeModel(self.path, self.device.threads)
        expected = outputs(reference, arrays)
        variants, errors = {}, {}
        for method, log in self.logs.items():
            library = self.folder / f"{method}.so"
            compile_model(self.model, self.target, log, library)
            variants[method] = CompiledModel(library, self.model.params, place)
            found = outputs(variants[method], arrays)
            errors[method] = float(largest_relative_error(found, expected))
        timing = TimingSettings(0, 3, self.options.samples, 20.0, 1.0, 30.0)
        samples = time_interleaved(variants, timing, quiet)
        rows = {}
        for method, many in samples.items():
            low, middle, high = min(many), median(many), max(many)
            rows[method] = {
                "latency_ms": middle, "min_ms": low, "max_ms": high, "error": errors[method],
                "seconds": self.seconds.get(method), "trials": self.trials.get(method),
                "failed": self.failed.get(method),
            }  # fmt: skip
            say(
                f"{self.name:16} {method:9} {middle:9.4f} ms ({low:.4f}-{high:.4f}), "
                f"{median(samples['untuned']) / middle:6.1f}x untuned, error {errors[method]:.1e}"
            )
        return rows


def outputs(variant, arrays):
    """Outputs for the inputs."""
    variant.bind(arrays)
    variant.run()
    return [np.array(one) for one in variant.outputs()]


def exported(folder):
    """Two of torchvision's models as ONNX files."""
    for name in MODELS:
        export_torchvision(name, SHAPE, "random", 0, folder / f"{name}.onnx", say)
        yield folder / f"{name}.onnx"


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--onnx", type=Path, nargs="+", help="models, in the order of transfers")
    parser.add_argument("--target", default="cuda", help="a TVM target as JSON (default: detect)")
    parser.add_argument("--trials", type=int, default=400, help="of a search (default: 400)")
    parser.add_argument("--droplet", type=int, default=100, help="trials of droplet search")
    parser.add_argument("--candidates", type=int, default=4, help="transferred, per kernel")
    parser.add_argument("--samples", type=int, default=15, help="of a latency (default: 15)")
    parser.add_argument("--workers", type=int, default=8, help="that compile (default: 8)")
    parser.add_argument("--out", type=Path, help="file to write the JSON to as well")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    device = Device("gpu", options.target, 1)
    load_tvm(device.threads)
    target, state, place = resolve_target(device), environment(device), open_place(device.location)
    say(f"{state['gpu']}, driver {state['driver']}, TVM {installed_version()}: {target}")
    with contextlib.ExitStack() as held:
        scratch = held.enter_context(tempfile.TemporaryDirectory())
        for name, shared in device.locks:
            held.enter_context(device_lock(name, "benchmarks/gpu_figures.py", waiting, shared))
        folder = Path(scratch)
        roofs = {
            "gflops": max(gpu_operations(target, ROOF_SAMPLES, place)) * 1e-9,
            "gb_per_s": max(gpu_bandwidth(target, ROOF_SAMPLES, place)) * 1e-9,
        }
        say(f"roofs: {roofs['gflops']:.0f} GFLOP/s, {roofs['gb_per_s']:.0f} GB/s")
        with Bench(
            target, device.threads, worker_settings(options.workers), folder, None, True,
            device.location,
        ) as bench:  # fmt: skip
            models: list[Runs] = []
            results = {}
            for path in options.onnx or exported(folder):
                models.append(Runs(path, device, folder, bench, options))
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
