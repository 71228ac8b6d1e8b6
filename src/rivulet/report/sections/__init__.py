"""The sections of the report, in the order of the page.

Each is a module and the template of the same name beside it. ``TITLE`` is its heading, which the
page's contents link to, and ``context(data)`` returns what its template shows, or None where the
section has no place in this report. What stands under ``embedded`` there is handed to the page's
script. Another section is another such pair, and its name in the list below.
"""

from __future__ import annotations

from types import ModuleType

from rivulet.report.sections import (
    configuration,
    coverage,
    droplet,
    environment,
    hardware,
    kernels,
    latency,
    methods,
    pairs,
    ranking,
    summary,
    time,
    trials,
)

SECTIONS: tuple[ModuleType, ...] = (
    summary, hardware, methods, pairs, latency, time, trials,
    droplet, ranking, coverage, kernels, environment, configuration,
)  # fmt: skip
