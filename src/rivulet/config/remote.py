"""The configuration of hardware that is reached over RPC."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from rivulet.config.problems import Allowed, Problem, refuse, shown
from rivulet.config.sources import Settings

_ADDRESS = r"^(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"
_ADDRESS_ALLOWED = "HOST:PORT, such as 192.168.1.10:9190"
_KEY = r"^[A-Za-z0-9_.-]{1,64}$"
_KEY_ALLOWED = "1 to 64 of A-Z a-z 0-9 _ . -"


def _checked_address(value: str) -> str:
    if not re.match(_ADDRESS, value) or not 0 < int(value.rpartition(":")[2]) < 65536:
        refuse(Problem((), f"{shown(value)} is no address; allowed: {_ADDRESS_ALLOWED}"))
    return value


def _checked_key(value: str) -> str:
    # The key is a word of TVM's protocol, where blanks and colons part words.
    if not re.match(_KEY, value):
        refuse(Problem((), f"{shown(value)} is no key; allowed: {_KEY_ALLOWED}"))
    return value


class Rpc(Settings):
    """How devices over RPC are reached: by a tracker, at which their servers register."""

    tracker: Annotated[
        str,
        AfterValidator(_checked_address),
        Allowed(_ADDRESS_ALLOWED),
        WithJsonSchema({"type": "string", "pattern": _ADDRESS}),
    ] = Field(description="HOST:PORT of the RPC tracker")
    key: Annotated[
        str,
        AfterValidator(_checked_key),
        Allowed(_KEY_ALLOWED),
        WithJsonSchema({"type": "string", "pattern": _KEY}),
    ] = Field(description="Key under which the servers of these devices register")
    devices: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Devices, all of one kind, on which candidates are measured at the same time "
        "[devices]",
    )
    session_timeout_s: Annotated[float, Field(ge=1, le=86400)] = Field(
        default=600.0,
        description="Time after which a server ends a session, whatever it does; one process of a "
        "benchmark has to fit in it [s]",
    )
    connect_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=60.0, description="Longest time to wait for a free device, at each try [s]"
    )
    retries: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="How often that is tried again before the job ends [times]",
    )
    compiler: str = Field(
        default="",
        max_length=400,
        description="Command that links a library for the device, such as aarch64-linux-gnu-gcc; "
        "empty for this machine's linker",
    )
