"""Process: compile a model with the schedules that our search found, and time it beside ONNX
Runtime with the workflow's own functions.
"""

from __future__ import annotations

from typing import Any

from comparison.child import Child, serve
from comparison.ours import LOG
from comparison.prepare import ONNX
from rivulet.errors import UserError
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.tvm_compat import load_tvm

OURS, PEER = "ansor", "onnxruntime"


def compare(child: Child) -> dict[str, Any]:
    """Latency samples in milliseconds of both, from the same rounds."""
    threads, spec = child.device.threads, child.spec
    load_tvm(threads)
    from rivulet.benchmark.compile import compile_model
    from rivulet.benchmark.interleave import TimingSettings
    from rivulet.benchmark.pair import benchmark_variants
    from rivulet.benchmark.subject import Subject
    from rivulet.graph.prepare import prepare_model
    from rivulet.hardware.target import resolve_target

    chosen = spec["benchmark"]
    timing = TimingSettings.from_settings(chosen)
    target = resolve_target(child.device)
    onnx = child.other("prepared") / ONNX
    library = child.folder / "model.so"
    stored = read_log(child.other("ours") / LOG)
    log = open_thinned(stored, child.scratch / "best", logger=child.logger)
    compile_model(prepare_model(onnx, target), target, log, library)
    subject = Subject(
        onnx, {OURS: library}, spec["inputs"], child.device, timing, chosen["tolerance"], (PEER,)
    )
    result = benchmark_variants(
        subject, target, lambda method: None, lambda done, total: child.count(), logger=child.logger
    )
    if OURS in result.failures:
        raise UserError(f"the compiled model cannot be timed: {result.failures[OURS]}")
    return {"samples_ms": result.samples, "max_rel_error": result.errors[OURS]}


if __name__ == "__main__":
    raise SystemExit(serve(compare))
