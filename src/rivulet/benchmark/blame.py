"""Which kernels make a model's output wrong?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rivulet.hardware.place import Location
from rivulet.kernels.naming import short_name
from rivulet.log_tools.validate import Validated, sample_records, validate_records
from rivulet.records.stored import read_log


@dataclass(frozen=True)
class Blame:
    """What replaying a log's best schedules showed.

    Attributes:
        wrong: Each kernel that is wrong or does not run, with the reason.
        replayed: How many were replayed.
    """

    wrong: dict[str, str]
    replayed: int

    @property
    def text(self) -> str:
        """It in words, to stand behind the failure of the whole model."""
        if not self.wrong:
            return f"each of its {self.replayed} kernels is right when it runs alone"
        return "; ".join(f"kernel {short_name(name)}: {why}" for name, why in self.wrong.items())


def find_wrong_kernels(
    log: Path,
    location: Location,
    tolerance: float,
    seed: int,
    *,
    scratch: Path,
    report: Callable[[int, str], None],
    table: Path | None = None,
) -> Blame:
    """Replay a log's best schedule of each kernel, one at a time, beside the unscheduled kernel.

    Args:
        log: Folder of the log that the model was compiled with.
        location: Where kernels run, and on how many threads.
        tolerance: Largest relative difference to accept.
        seed: Seed of the inputs.
        scratch: Folder for compiled kernels.
        report: Told the kernels done, and the last one's name.
        table: Table of the model's kernels, which names them; by default the one that the log's
            record leads to.
    """
    stored = read_log(log)
    records = sample_records(stored, len(stored.workloads), seed)
    done = 0

    def told(one: Validated) -> None:
        nonlocal done
        done += 1
        report(done, short_name(one.kernel))

    seen = validate_records(
        stored,
        records,
        location.threads,
        tolerance,
        seed=seed,
        scratch=scratch,
        report=told,
        location=location,
        table=table,
    )
    wrong = {}
    for one in seen:
        if one.problem:
            measured = "" if one.error is None else f" ({one.error:.1e})"
            wrong[one.kernel] = one.problem + measured
    return Blame(wrong, len(seen))
