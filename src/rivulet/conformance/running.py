"""Run many node tests in a process of their own, which may crash or hang."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import rivulet
from rivulet.conformance.cases import Case
from rivulet.conformance.judging import Verdict

_TIMEOUT_S = 600.0  # whole models run with loops as they are


def run_cases(cases: Iterable[Case], tell: Callable[[Verdict], None]) -> list[Verdict]:
    """Judge node tests one after the other; a crash or a hang is the verdict on one of them.

    Args:
        cases: The tests.
        tell: Called with each verdict as it comes.
    """
    verdicts = []
    process: subprocess.Popen[str] | None = None
    for case in cases:
        process = process or _start()
        answer = _ask(process, case.name)
        if answer is None:
            process.kill()
            code = process.wait()
            process = None
            verdict = Verdict(case.name, case.operator, "unclear", f"the process ended ({code})")
        else:
            verdict = Verdict(**json.loads(answer))
        verdicts.append(verdict)
        tell(verdict)
    if process is not None:
        process.communicate()
    return verdicts


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rivulet.conformance.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(rivulet.__file__).parents[1])},
    )


def _ask(process: subprocess.Popen[str], name: str) -> str | None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        print(name, file=process.stdin, flush=True)
    except BrokenPipeError:
        return None
    return process.stdout.readline() or None if _answers(process.stdout) else None


def _answers(output: IO[str]) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        return bool(selector.select(_TIMEOUT_S))
