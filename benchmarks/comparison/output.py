"""The figures as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

QUICK_NOTE = (
    "QUICK: small budgets and single runs. These figures show that everything works and the rough "
    "size of the differences; judge by the full run."
)


def table_lines(figures: Mapping[str, Any], quick: bool) -> Iterator[str]:
    """Lines that say each section's figures, and what they mean."""
    if quick:
        yield QUICK_NOTE
        yield ""
    for name, lines in _SECTIONS.items():
        if name in figures:
            yield from lines(figures[name])
            yield ""


def _throughput(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Throughput: measured trials per second of one search"
    yield (
        f"  {'run':<22}{'trials':>7}{'failed':>8}{'kernels':>9}{'wall s':>9}{'whole/s':>9}"
        f"{'net/s':>8}"
    )
    rows = [
        (f"{side} {number}", run)
        for number, pair in enumerate(zip(*figures["runs"].values(), strict=True), 1)
        for side, run in zip(figures["runs"], pair, strict=True)
    ]
    stock = figures.get("with_stock_batch")
    if stock:
        rows.append((f"peer, batch {stock['batch']}", stock))
    for label, run in rows:
        yield (
            f"  {label:<22}{run['trials']:>7.0f}{run['failed']:>8.0f}{run['kernels']:>9.0f}"
            f"{run['wall_s']:>9.1f}{run['whole_rate']:>9.3f}{run['net_rate']:>8.3f}"
        )
    yield f"  ours / peer, from process start to end: {_ratio(figures['whole'])}"
    yield f"  ours / peer, first to last trial:       {_ratio(figures['net'])}"
    yield f"  (candidates per batch of the peer: {figures['peer_batch']})"
    if stock:
        yield (
            f"  against the peer with its default batch of {stock['batch']}: {stock['ratio']:.2f}; "
            f"it tried {stock['kernels']:.0f} kernel(s) so"
        )


def _first_trial(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "First trial: seconds from process start to the end of the first measured trial"
    yield f"  ours {figures['ours']:.1f} s, peer {figures['peer']:.1f} s"


def _quality(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Quality: weighted latency of the model's kernels, ours / peer; below 1 ours is faster"
    yield (
        f"  {'model':<18}{'seed':>5}{'batch':>6}{'ours ms':>9}{'peer ms':>9}"
        f"  {'equal trials':<22}at 25 / 50 / 100 % of the shorter search's time"
    )
    for row in figures["matches"]:
        times = " / ".join(f"{value:.3f}" for value in row["equal_time"].values())
        yield (
            f"  {row['model']:<18}{row['seed']:>5}{row['peer_batch']:>6}"
            f"{row['latency_ms']['ours']:>9.3f}{row['latency_ms']['peer']:>9.3f}"
            f"  {_ratio(row['equal_trials']):<22}{times}"
        )
        for side, kernels in row["default_loops"].items():
            if kernels:
                yield (
                    f"    {side}: no valid schedule of {len(kernels)} kernel(s), counted with "
                    f"default loops on one thread: {', '.join(kernels)}"
                )
    times = ", ".join(
        f"{float(share):.0%} {value:.3f}" for share, value in figures["equal_time"].items()
    )
    yield f"  geometric mean at equal trials {figures['ratio']:.3f}; at equal time: {times}"


def _growth(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Growth: cost of a batch late in the search over that of an early one"
    if "missing" in figures:
        yield f"  {figures['missing']}"
    else:
        growth, memory = figures["batch_cost_growth"], figures["rss_gib"]
        yield f"  {growth:.2f}, main process at most {memory:.2f} GiB"


def _onnxruntime(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Whole models beside ONNX Runtime, same threads, interleaved; below 1 ours is faster"
    for model, row in figures["models"].items():
        sides = ", ".join(
            f"{side} {row[side]['ms']:.3f} ms ({row[side]['low']:.3f}-{row[side]['high']:.3f})"
            for side in ("ours", "onnxruntime")
        )
        yield f"  {model}: {sides}: {_ratio(row['ratio'])}"


def _memory(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Memory and left-over files, largest over the searches above"
    for side, peaks in figures.items():
        yield (
            f"  {side}: main process {peaks['main_peak_gib']:.2f} GiB, largest worker "
            f"{peaks['worker_peak_gib']:.2f}, workers together "
            f"{peaks['workers_together_peak_gib']:.2f}; left {peaks['left_files']:.0f} files and "
            f"{peaks['left_folders']:.0f} folders of temporary ones ({peaks['left_mib']:.1f} MiB)"
        )


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['value']:.3f} ({ratio['low']:.3f}-{ratio['high']:.3f})"


_SECTIONS = {
    "throughput": _throughput, "first_trial": _first_trial, "quality": _quality,
    "growth": _growth, "onnxruntime": _onnxruntime, "memory": _memory,
}  # fmt: skip
