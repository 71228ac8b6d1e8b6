"""Variants of one model, timed again and again in processes of their own.

Within a process all samples share its memory layout and its minute; an interval from them does not
tell what the next process would show. So a claim about a small difference rests on repetitions: one
ratio from each of several processes.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection as PipeEnd
from typing import Any

from rivulet.benchmark.estimates import Stopping, widest
from rivulet.benchmark.pair import PairResult, benchmark_variants, seeded
from rivulet.benchmark.subject import Subject
from rivulet.errors import UserError
from rivulet.hardware.conduct import worst_of
from rivulet.hardware.place import Connection, PlaceUnreachable

_ROUND, _BEGIN, _RESULT, _FAILURE, _LOST = "round", "begin", "result", "failure", "lost"
_GRACE_SECONDS = 10.0  # for a process to end after its last word
_CRASHES_BORNE = 2  # that no variant explains, such as one killed for want of memory


@dataclass(frozen=True)
class Repeated:
    """What all processes found.

    Attributes:
        results: What each one saw, in their order.
        failures: Method to the reason why it is left out.
        errors: Method to its largest relative error in any process.
    """

    results: list[PairResult]
    failures: dict[str, str] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)

    def add(self, result: PairResult) -> None:
        """Take in what another process saw."""
        self.results.append(result)
        for method, error in result.errors.items():
            self.errors[method] = max(error, self.errors.get(method, 0.0))
        self.failures.update(result.failures)

    @property
    def good(self) -> list[PairResult]:
        """Those of processes in which the machine was as fast as it is, by a probe."""
        return [one for one in self.results if not (one.conduct and one.conduct.slow)]

    @property
    def used(self) -> list[PairResult]:
        """Those that figures are made of: the good ones, unless that leaves fewer than two."""
        return self.good if len(self.good) >= min(2, len(self.results)) else self.results

    @property
    def complaints(self) -> list[str]:
        """Why the figures are to be read with care, and how many processes were set aside."""
        used = self.used
        told = worst_of([one.conduct for one in used if one.conduct]).complaints
        aside = [one for one in self.results if one not in used]
        speeds = [one.conduct.speed for one in aside if one.conduct and one.conduct.speed]
        if speeds:
            told.append(
                f"the machine ran at {min(speeds):.0%} of its peak ({len(aside)} of "
                f"{len(self.results)} processes set aside)"
            )
        return told

    def groups(self, method: str) -> list[list[float]]:
        """A method's samples in milliseconds, by process; none where it failed in one of them.

        Empty for a process that did not time it.
        """
        groups = [list(one.samples.get(method, ())) for one in self.used]
        return groups if method not in self.failures and any(groups) else []


class _Crashed(Exception):
    """A process ended without a result.

    Attributes:
        method: What ran in it for the first time when it ended; empty once all had run.
    """

    def __init__(self, method: str, status: int | None) -> None:
        super().__init__(f"exit status {status}")
        self.method = method


class _Lost(Exception):
    """A process lost its device over RPC, or found none.

    Attributes:
        method: What ran for the first time then; empty where nothing did.
    """

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(reason)
        self.method = method


class _Losses:
    """Sessions that were lost in a row.

    A method whose first runs end two sessions is at fault itself.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._number, self._suspect = connection, 0, ""

    def happened(self, loss: _Lost) -> str:
        """Count one; returns the method that is at fault for it.

        Raises:
            UserError: There were too many.
        """
        if loss.method and loss.method == self._suspect:
            self._number, self._suspect = 0, ""
            return loss.method
        self._number, self._suspect = self._number + 1, loss.method
        if self._number > self._connection.retries:
            raise self._connection.trouble(str(loss))
        return ""

    def over(self) -> None:
        """A process came to its end."""
        self._number, self._suspect = 0, ""


def repeat_benchmark(
    subject: Subject, stopping: Stopping, report: Callable[[int, int, str], None]
) -> Repeated:
    """Time all variants in turns, in one new process after the other.

    Goes on until the interval of each method's latency is narrow enough, or as many processes
    were run as are allowed. A variant that fails, or ends its process, is left out of the next.

    Args:
        subject: The model and its variants.
        stopping: When to stop.
        report: Told the rounds done, the rounds in all if every process is needed that may be, and
            how it stands.

    Raises:
        UserError: Processes end again and again, and no variant explains it.
    """
    found = Repeated([])
    text, rounds, unexplained = "", subject.timing.samples, 0
    connection = subject.device.location.connection
    losses = _Losses(connection) if connection else None
    while len(found.results) < stopping.most:
        number = len(found.results)
        left = seeded(_what_is_left(subject, found, stopping), number)

        def told(done: int, _: int, number: int = number, text: str = text) -> None:
            report(number * rounds + done, stopping.most * rounds, _place(number, text))

        try:
            result = _in_new_process(left, told)
        except _Crashed as crash:
            if not crash.method:
                unexplained += 1
                if unexplained <= _CRASHES_BORNE:
                    continue
                if len(found.results) >= stopping.least:
                    break
                raise UserError(
                    f"processes that time the variants end again and again: {crash}"
                ) from crash
            found.failures[crash.method] = f"it ends its process ({crash})"
            continue
        except _Lost as loss:
            assert losses is not None
            if at_fault := losses.happened(loss):
                found.failures[at_fault] = "it ends its session with the device, twice"
            continue
        if losses is not None:
            losses.over()
        found.add(result)
        width, method = widest(
            {m: found.groups(m) for m in subject.methods if m not in stopping.unwatched}, stopping
        )
        text = f", widest interval so far {width:.1%} ({method})" if method else ""
        if len(found.good) >= stopping.least and width <= stopping.precision:
            break
    done = len(found.results) * rounds
    report(done, done, _place(len(found.results) - 1, text))
    return found


def _what_is_left(subject: Subject, found: Repeated, stopping: Stopping) -> Subject:
    """The subject of the next process.

    Methods that failed are left out, and beyond the least number of processes those that get one
    sample; the functions of these need no more than one process that counts.
    """
    over = subject.once_only if len(found.results) >= stopping.least else ()
    profiled = [m for m in subject.once_only if any(m in one.functions for one in found.good)]
    return replace(subject.without([*found.failures, *over]), profiled=profiled)


def _place(number: int, text: str) -> str:
    return f"process {number + 1}{text}"


def _in_new_process(subject: Subject, report: Callable[[int, int], None]) -> PairResult:
    """Time the variants in a new interpreter: a copy of this one would share its memory layout.

    Raises:
        UserError: What the process says is wrong.
        _Crashed: The process ended without a word.
        _Lost: It lost its device.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, subject), daemon=True)
    process.start()
    sender.close()
    running = ""
    try:
        while True:
            kind, content = receiver.recv()
            if kind == _BEGIN:
                running = content
            elif kind == _ROUND:
                running = ""
                report(*content)
            elif kind == _FAILURE:
                raise UserError(content)
            elif kind == _LOST:
                raise _Lost(running, content)
            else:
                result: PairResult = content
                return result
    except EOFError:
        process.join(_GRACE_SECONDS)
        raise _Crashed(running, process.exitcode) from None
    except BaseException:
        process.kill()  # nobody waits for what it would still say
        raise
    finally:
        process.join(_GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()  # the next one must not be timed beside it
        receiver.close()


def _serve(sender: PipeEnd, subject: Subject) -> None:
    from rivulet.hardware.target import resolve_target
    from rivulet.tvm_compat import load_tvm

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")

    def begin(method: str) -> None:
        sender.send((_BEGIN, method))

    def report(*rounds: int) -> None:
        sender.send((_ROUND, rounds))

    try:
        load_tvm(subject.device.threads)
        result: Any = benchmark_variants(
            subject,
            resolve_target(subject.device),
            begin,
            report,
            logger=logging.getLogger("rivulet"),
        )
    except UserError as error:
        sender.send((_FAILURE, str(error)))
        return
    except PlaceUnreachable as error:
        logging.getLogger("rivulet").exception("the device is lost")
        sender.send((_LOST, str(error)))
        return
    sender.send((_RESULT, result))


def without_failures(found: Repeated) -> list[PairResult]:
    """The results, when every variant has one.

    Raises:
        UserError: One has failed.
    """
    for method, reason in found.failures.items():
        raise UserError(f"{method}: {reason}")
    return found.used
