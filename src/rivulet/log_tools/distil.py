"""A log in the smallest form that its schedules can be taken from again; no TVM."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from rivulet.log_tools.merge import prune_log
from rivulet.records.files import RECORDS, TRIALS, WORKLOADS
from rivulet.records.stored import ORIGIN, read_log


def distil_log(log: Path, out: Path, best: int, name: str) -> list[Path]:
    """Write a log's fastest schedules and all of its trials, compressed.

    ``gunzip -r OUT`` makes a log of it again, which a transfer can take schedules from.

    Args:
        log: Folder of the log.
        out: Folder to write to.
        best: Schedules kept of each workload.
        name: What ``origin.json`` calls the log, instead of its path on this machine.

    Returns:
        The files written. Equal logs give equal bytes.

    Raises:
        UserError: There is no log.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with tempfile.TemporaryDirectory() as scratch:
        pruned = Path(scratch) / "log"
        prune_log(pruned, read_log(log), best)
        for file in (WORKLOADS, RECORDS, TRIALS):
            path = out / f"{file}.gz"
            # Without a time in the header.
            path.write_bytes(gzip.compress((pruned / file).read_bytes(), mtime=0))
            written.append(path)
        origin = json.loads((pruned / ORIGIN).read_text())
        origin["logs"][0]["folder"] = name
        path = out / ORIGIN
        path.write_text(json.dumps(origin, indent=1) + "\n")
        written.append(path)
    return written
