"""What the records say of the devices that were measured on, and what these did meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rivulet.benchmark.table import MethodRow
from rivulet.provenance import Record
from rivulet.report.wording import percent, range_text


def environments(rows: list[MethodRow], records: dict[Path, Record]) -> list[dict[str, Any]]:
    """What the records say about the device in each state, where they differ with all values."""
    facts = [(path, record.facts.get("environment") or {}) for path, record in records.items()]
    states = {str(f.get("fingerprint", "unknown")): None for _, f in facts}
    states |= {row.fingerprint or "unknown": None for row in rows}
    found = []
    for state in sorted(states):
        here = [(path, f) for path, f in facts if str(f.get("fingerprint", "unknown")) == state]
        own = [row for row in rows if (row.fingerprint or "unknown") == state]
        seen = [f for _, f in here]
        found.append(
            {
                "fingerprint": state,
                "hardware": sorted({row.hardware for row in own}),
                "paths": [path for path, _ in here],
                "features": sorted({str(x) for f in seen for x in f.get("features") or []}),
                "facts": [
                    *([("GPU", _gpus(seen))] if any("gpu" in f for f in seen) else []),
                    ("CPU", _distinct(seen, "cpu")),
                    ("Architecture", _distinct(seen, "architecture")),
                    ("Threads", _distinct(seen, "threads")),
                    ("Memory", _distinct(seen, "memory_gib", " GiB")),
                    ("Frequency governor", _distinct(seen, "governor")),
                    ("Load at the pair runs", _load(seen)),
                    ("Operating-system kernel", _distinct(seen, "kernel")),
                    ("Target, as configured", _distinct(seen, "target")),
                    ("Target, as resolved", _distinct(seen, "resolved_target")),
                    ("TVM", _distinct([{"tvm": row.tvm_version} for row in own] + seen, "tvm")),
                    ("LLVM", _distinct(seen, "llvm")),
                    ("Packages", _packages(seen)),
                    ("Pinned to CPUs", _pinned(seen)),
                    ("Frequencies", _clock(seen, "mhz", "MHz")),
                    ("Temperature", _clock(seen, "celsius", "°C")),
                ],
            }
        )
    return found


def _gpus(facts: list[dict[str, Any]]) -> str:
    keys = ("gpu", "gpu_memory_mib", "driver")
    texts = ("{}", "{} MiB", "driver {}")
    found = {", ".join(t.format(f[k]) for k, t in zip(keys, texts, strict=True)): None
             for f in facts if all(k in f for k in keys)}  # fmt: skip
    return "; ".join(found) or "unknown"


def _distinct(facts: list[dict[str, Any]], key: str, unit: str = "") -> str:
    values = {
        value if isinstance(value, str) else json.dumps(value): None
        for f in facts
        if (value := f.get(key)) not in (None, "")
    }
    return "; ".join(f"{value}{unit}" for value in values) or "unknown"


def most_lost(conduct: list[dict[str, Any]] | None, key: str) -> str:
    """The largest share that any of a pair run's processes lost."""
    return percent(max(one[key] for one in conduct)) if conduct else "–"


def _packages(facts: list[dict[str, Any]]) -> str:
    seen = [one.get("versions") or {} for one in facts]
    names = {name: None for one in seen for name in one}
    return ", ".join(f"{name} {_distinct(seen, name)}" for name in names) or "unknown"


def _pinned(facts: list[dict[str, Any]]) -> str:
    places = {", ".join(map(str, one["pinned_to"])): None for one in facts if one.get("pinned_to")}
    return "; ".join(places) or "unknown"


def _clock(facts: list[dict[str, Any]], key: str, unit: str) -> str:
    """The range of what was read before and after the pair runs; lists hold one figure per CPU."""
    read = [one.get(name) or {} for one in facts for name in ("clocks", "clocks_after")]
    found = [clock[key] for clock in read if key in clock]
    values = [v for one in found for v in (one if isinstance(one, list) else [one])]
    return f"{range_text(values, 'g')} {unit}" if values else "not readable"


def _load(facts: list[dict[str, Any]]) -> str:
    text = range_text([f.get("load_1min") for f in facts], "g")
    return "unknown" if text == "–" else f"{text} (mean over one minute)"
