"""The page: its sections in their order."""

from __future__ import annotations

from rivulet.methods import ANSOR, ONNXRUNTIME
from rivulet.report.blocks import Block
from rivulet.report.reference import costs, summary
from rivulet.report.reference.droplet import droplet_section
from rivulet.report.reference.markdown import NONE, interval, table
from rivulet.report.reference.run import Run
from rivulet.report.verdicts import OVER_ANSOR, OVER_RUNTIME
from rivulet.report.wording import duration, number

CHART = "speed.svg"
_EVERY_NOTE = """*of ONNX Runtime* is ONNX Runtime's latency over the method's; *of Ansor* Ansor's
latency over the method's, which is the share of Ansor's speed-up that it reaches. A target's own
methods are timed in each table of its pairs: with three tables or more, each is one observation
of the ratio, and the interval is Student's over these; a method of one table has the interval
over that table's processes. Latencies are medians over the tables; the machine's speed wanders
from one table to the next, so compare ratios and not latencies. *search* is the wall time of the
method's own search, *sources* that of the logs that it leans on."""


def reference_page(title: str, introduction: str, run: Run, rerun: str = "") -> str:
    """The page.

    Args:
        title: Its first line, a heading.
        introduction: What stands below it.
        run: What it tells of.
        rerun: How to make the run again, its last section.
    """
    parts = [
        title,
        introduction,
        table(("", ""), list(run.facts.items())),
        "## In short",
        _listed(summary.short(run)),
        summary.summary_table(run),
        summary.NOTE,
        f"![Speed of each method over ONNX Runtime's, with intervals, by target]({CHART})",
        "## Every method",
        _EVERY_NOTE,
        *(part for block in run.blocks for part in (f"### {block.target}", _methods(block, run))),
        "## Transfer: what it costs beside a search of the target's own",
        costs.TIME_NOTE,
        costs.times_table(run),
        *droplet_section(run),
        "## By trial count",
        costs.COUNT_NOTE,
        costs.counts_table(run),
        "## What this run cannot tell",
        _listed(summary.limits(run)),
    ]
    if run.stages:
        parts += ["## Wall time by stage", costs.stages_table(run), costs.STAGE_NOTE]
    return "\n\n".join(part.strip("\n") for part in [*parts, rerun] if part) + "\n"


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _methods(block: Block, run: Run) -> str:
    """Every method of a target."""
    lines = []
    for line in block.lines:
        seconds, sources = line.middle("search_seconds"), line.middle("source_search_seconds")
        tried = line.middle("trials_measured")
        runtime, ansor = (run.ratio(line, column) for column in (OVER_RUNTIME, OVER_ANSOR))
        lines.append(
            (
                line.label,
                "; ".join(line.errors) or number(line.middle("latency_ms")),
                NONE if line.method == ONNXRUNTIME else interval(runtime),
                NONE if line.method == ANSOR else interval(ansor),
                duration(seconds) if seconds else NONE,
                f"{tried:,.0f}" if tried else NONE,
                duration(sources) if sources else NONE,
                len(line.rows),
            )
        )
    heads = (
        "method", "latency ms", "of ONNX Runtime", "of Ansor", "search", "trials", "sources",
        "tables",
    )  # fmt: skip
    return table(heads, lines)
