"""The process that runs node tests: a name a line in, a verdict in JSON a line out."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from rivulet.conformance.cases import usable_cases
from rivulet.conformance.judging import judge
from rivulet.conformance.light import light_cases
from rivulet.hardware.target import this_cpu


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    cases = {case.name: case for case in (*usable_cases(), *light_cases())}
    target = this_cpu(threads=1)
    for line in sys.stdin:
        print(json.dumps(asdict(judge(cases[line.strip()], target))), file=answers, flush=True)


if __name__ == "__main__":
    main()
