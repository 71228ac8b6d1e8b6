"""Ends of a session over TVM's RPC that its Python does not have."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def answers(session: Any) -> bool:
    """Whether the session's server is still there."""
    try:
        session.get_function("runtime.GetDeviceAttr")
    except Exception:  # TVM's own, of no common kind
        return False
    return True


def end(session: Any) -> None:
    """Free the server for others, whatever still refers to the session here."""
    with suppress(Exception):  # it may be gone already
        session.get_function("CloseRPCConnection")()
