"""What a strategy proposes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a measurement is for; its value ends the strategy's name in a log's column."""

    NEW = ""
    CONFIRM = "-confirm"  # measured before, and once more now
    DEFAULT = "-default"  # the kernel's default schedule


@dataclass(frozen=True)
class Candidate:
    """A scheduled kernel that may be measured; strategies add what they need to know of it.

    Attributes:
        kernel: Place of its kernel in the session.
        schedule: The scheduled kernel, ``tvm.s_tir.Schedule``.
        name: Structural hash of the scheduled kernel, hexadecimal.
        role: What it is measured for.
        alternative: Place of the formulation that it schedules among its kernel's.
    """

    kernel: int
    schedule: Any
    name: str
    role: Role = Role.NEW
    alternative: int = 0


@dataclass(frozen=True)
class Batch:
    """Candidates that are measured together.

    Attributes:
        candidates: The candidates; there may be none where a round has been spent otherwise, on a
            race or in vain.
        kernel: The kernel whose round it is; None where it is of several.
        incumbent: Seconds by kernel that decide which candidates are far slower, where that is not
            the kernel's best.
    """

    candidates: Sequence[Candidate] = ()
    kernel: int | None = None
    incumbent: Mapping[Hashable, float] | None = None
