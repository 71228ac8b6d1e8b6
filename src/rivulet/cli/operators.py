"""Put ONNX's own node tests through preparation, compilation and a run; write docs/operators.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rivulet.cli.options import pattern_argument
from rivulet.conformance.cases import FUNCTION_BODIES, usable_cases
from rivulet.conformance.judging import Verdict
from rivulet.conformance.light import light_cases
from rivulet.conformance.running import run_cases
from rivulet.conformance.table import operator_table, totals, write_page

PAGE = Path("docs/operators.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the tests; 1 if any is wrong or ends in any other way, 2 if nothing was judged."""
    parser = argparse.ArgumentParser(prog="rivulet operators", description=__doc__)
    parser.add_argument(
        "--only",
        type=pattern_argument,
        default="",
        metavar="REGEX",
        help="tests whose name matches",
    )
    parser.add_argument(
        "--bodies", action="store_true", help="also those with the standard's body of an operator"
    )
    parser.add_argument("--light", action="store_true", help="also the package's light_* models")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    args = parser.parse_args(arguments)
    if args.only.pattern and args.write:
        print(
            f"error: --only {args.only.pattern}: with --write, {PAGE.name} would lose the rows of "
            "all other operators; leave one of the two out",
            file=sys.stderr,
        )
        return 2
    cases = [
        case
        for case in usable_cases()
        if args.only.search(case.name) and (args.bodies or case.operator != FUNCTION_BODIES)
    ]
    if args.light:
        cases += light_cases()
    verdicts = run_cases(cases, show)
    if args.write:
        releases = f"onnx {version('onnx')} and TVM {version('apache-tvm')}"
        write_page(PAGE, operator_table(verdicts, releases))
    count = totals(verdicts)
    print(", ".join(f"{number} {outcome}" for outcome, number in count.items()))
    return 1 if count["wrong"] or count["unclear"] else 0


def show(verdict: Verdict) -> None:
    """Print what is not right."""
    if verdict.outcome != "right":
        print(f"{verdict.outcome}: {verdict.name}: {verdict.message}", flush=True)
