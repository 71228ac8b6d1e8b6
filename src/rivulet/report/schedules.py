"""The schedules of a log as a page to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rivulet.records.best import best_by_kernel
from rivulet.records.stored import read_log
from rivulet.report.templates import environment, style


@dataclass(frozen=True)
class Schedule:
    """A kernel's best schedule.

    Attributes:
        kernel: Task name.
        microseconds: Latency as the log has it.
        trace: Its trace as Python statements.
        script: The scheduled kernel as TVMScript.
    """

    kernel: str
    microseconds: float
    trace: str
    script: str


def write_schedules(title: str, log: Path, kernels: Path, path: Path) -> None:
    """Write the page of a log's best schedule of each kernel.

    Args:
        title: Of what the schedules are.
        log: Folder of the log.
        kernels: Kernel table of the model.
        path: HTML file to write.

    Raises:
        UserError: One of them is not readable.
    """
    schedules = [
        Schedule(best.kernel, best.stored.seconds * 1e6, *best.readable())
        for best in best_by_kernel(read_log(log), kernels)
    ]
    path.write_text(schedules_page(title, str(log), schedules), encoding="utf-8")


def schedules_page(title: str, log: str, schedules: list[Schedule]) -> str:
    """One HTML page that needs nothing besides itself.

    Args:
        title: Of what the schedules are.
        log: Where they were found.
        schedules: In the order in which they are shown.
    """
    page = (
        environment()
        .get_template("schedules.html")
        .render(
            css=style(),
            title=title,
            log=log,
            schedules=schedules,
        )
    )
    return str(page)
