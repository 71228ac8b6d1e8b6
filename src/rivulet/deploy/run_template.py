#!/usr/bin/env python3
"""Run this model: run.py [INPUTS.npz [OUTPUTS.npz]]; without inputs it takes example.npz."""

import json
import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ABOUT = json.loads((HERE / "manifest.json").read_text())
FLAGS = Path("/proc/cpuinfo").read_text().replace("_", "").split()
if lacking := sorted(set(ABOUT["cpu_features"]) - set(FLAGS)):
    sys.exit(f"{HERE.name}: compiled for a CPU with {', '.join(lacking)}, which this one lacks")
os.environ["TVM_NUM_THREADS"] = str(ABOUT["threads"])  # read when TVM is imported
from tvm import relax, runtime  # noqa: E402

device = runtime.device(ABOUT["device"])
machine = relax.VirtualMachine(runtime.load_module(str(HERE / "model.so")), device)
source = sys.argv[1] if sys.argv[1:] else HERE / "example.npz"
given = dict(np.load(source))
if set(given) != {i["name"] for i in ABOUT["inputs"]}:
    sys.exit(f"{source}: holds {', '.join(given)}; the model's inputs: {ABOUT['inputs']}")
weights = list(np.load(HERE / "params.npz").values())
if ABOUT["device"] == "cpu":
    # All in one array: numpy asks for huge pages for it, out of which they are read faster.
    starts = np.cumsum([0, *(-(-w.nbytes // 64) * 64 for w in weights)])
    block = np.empty(starts[-1] + 64, np.uint8)
    block = block[-block.ctypes.data % 64 :]
    for n, w in enumerate(weights):
        part = block[starts[n] : starts[n] + w.nbytes].view(w.dtype).reshape(w.shape)
        part[...] = w
        weights[n] = runtime.from_dlpack(part)
else:
    weights = [runtime.tensor(w, device) for w in weights]
arrays = (np.asarray(given[i["name"]], i["dtype"]) for i in ABOUT["inputs"])
found = machine["main"](*(runtime.tensor(array, device) for array in arrays), *weights)
found = [found.numpy()] if hasattr(found, "numpy") else [one.numpy() for one in found]
outputs = {o["name"]: array for o, array in zip(ABOUT["outputs"], found, strict=True)}
if sys.argv[2:]:
    np.savez(sys.argv[2], **outputs)
print({name: (array.shape, array.ravel()[:5].tolist()) for name, array in outputs.items()})
