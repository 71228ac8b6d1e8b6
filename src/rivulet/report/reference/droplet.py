"""Droplet search before and after transfers, pair by pair, beside what others have published."""

from __future__ import annotations

from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.measure.ratios import Ratio
from rivulet.methods import ANSOR, TRANSFER
from rivulet.report.reference.markdown import NONE, interval, table
from rivulet.report.reference.run import Run
from rivulet.report.verdicts import OVER_ANSOR

_NOTE = """Latency without droplet over latency with it; above 1, droplet helps. *before the
transfer*: the sources' logs were refined before their schedules were carried over. *after it*:
what the transfer took was refined on the target. Variants of a row were timed by turns in the same
processes. Entries marked \\* come from the tables of the pairs instead: *after it* from the
processes of one table, *before the transfer* from two tables, in each of which Ansor's schedules
stood beside the transfer, with the error of both in its interval."""
_EARLIER_NOTE = """The question is that of an earlier project
(https://github.com/Jaspann/transfer-tuning), which published single latencies of the same three
models, with 5,000 trials by TVM's former Ansor on another machine
([earlier_results.csv](../earlier_results.csv)). *of untuned* and *of tuned* are a latency over
the transfer's: below 1 the transfer made the model slower. Its untuned models were compiled with
TVM's default schedules of the time, ours are bare loops, which are some hundred times slower; so
its *of untuned* has no counterpart here, and *of tuned* stands beside *of Ansor*."""


def droplet_section(run: Run) -> list[str]:
    """The section; nothing where nothing was compared."""
    if not run.effects:
        return []
    places = {(e.source, e.target, e.comparison): e for e in run.effects}
    pairs = list(dict.fromkeys((e.source, e.target) for e in run.effects))
    lines = [
        (
            f"{source} to {target}",
            *(
                _effect(places.get((source, target, one)))
                for one in (OWN_LOG, BEFORE_TRANSFER, AFTER_TRANSFER)
            ),
        )
        for source, target in pairs
    ]
    heads = ("pair", "on the target's own log", "before the transfer", "after it")
    parts = ["## Droplet search before a transfer and after it", _NOTE, table(heads, lines)]
    if told := _beside_published(run, places):
        parts += ["### Beside what was published before", _EARLIER_NOTE, told]
    return parts


def _beside_published(run: Run, places: dict[tuple[str, str, str], EffectRow]) -> str:
    lines = []
    for (source, target), one in run.earlier.items():
        before, alone = (
            places.get((source, target, comparison)) for comparison in (BEFORE_TRANSFER, OWN_LOG)
        )
        if before is None or alone is None:
            continue
        lines.append(
            (
                f"{source} to {target}", f"{one.of_untuned:.2f}", f"{one.of_tuned:.2f}",
                interval(_of_ansor(run, source, target)), f"{one.droplet:.2f}",
                interval(before.ratio), f"{one.droplet_alone:.2f}", interval(alone.ratio),
            )
        )  # fmt: skip
    heads = (
        "pair", "published: of untuned", "published: of tuned", "here: of Ansor",
        "published: droplet before", "here", "published: droplet alone", "here",
    )  # fmt: skip
    return table(heads, lines)


def _of_ansor(run: Run, source: str, target: str) -> Ratio | None:
    """What the transfer from the log without droplet reaches."""
    wanted = (TRANSFER, source, ANSOR)
    for line in (x for block in run.blocks if block.target == target for x in block.lines):
        if (line.method, line.rows[0].source, line.rows[0].log) == wanted:
            return run.ratio(line, OVER_ANSOR)
    return None


def _effect(row: EffectRow | None) -> str:
    if row is None or row.ratio is None:
        return NONE
    return f"{interval(row.ratio)} {row.verdict}" + (" \\*" if row.repetitions is None else "")
