"""Ask an RPC tracker for devices; its protocol is TVM's, JSON after its length in four bytes.

TVM's own client waits for a free device without a limit, and cannot tell a busy one from none.
"""

from __future__ import annotations

import json
import socket
import struct
from contextlib import suppress
from typing import Any

MAGIC = 0x2F271
SUCCESS, FAIL = 0, -1
PING, STOP, PUT, REQUEST, UPDATE_INFO, SUMMARY, PENDING = 1, 2, 3, 4, 5, 6, 7
LARGEST_MESSAGE = 1 << 20


class TrackerUnreachable(Exception):
    """No tracker answers at the address; the text says what happened instead."""


class Tracker:
    """A connection to a tracker.

    Args:
        address: Host and port.
        timeout: Seconds that an answer may take.

    Raises:
        TrackerUnreachable: There is no tracker at the address. So do all methods.
    """

    def __init__(self, address: tuple[str, int], timeout: float) -> None:
        try:
            self._socket = socket.create_connection(address, timeout)
        except OSError as error:
            raise TrackerUnreachable(error.strerror or str(error)) from error
        try:
            self._socket.sendall(struct.pack("<i", MAGIC))
            (answer,) = struct.unpack("<i", self._received(4))
        except TrackerUnreachable:
            self._socket.close()
            raise
        except OSError as error:
            self._socket.close()
            raise TrackerUnreachable(str(error)) from error
        if answer != MAGIC:
            self._socket.close()
            raise TrackerUnreachable("what listens there is no TVM RPC tracker")

    def __enter__(self) -> Tracker:
        """Nothing more to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, which also takes a request back."""
        with suppress(OSError):
            self._socket.close()

    def servers(self, key: str) -> tuple[int, int]:
        """Servers that are registered under a key, and how many of them are free."""
        _, found = self._ask([SUMMARY])
        named = [one for one in found["server_info"] if one.get("key") == f"server:{key}"]
        return len(named), int(found["queue_info"].get(key, {}).get("free", 0))

    def request(self, key: str) -> tuple[str, int, str]:
        """Wait for a free server: its host and port, and the key that it expects."""
        _, (host, port, match) = self._ask([REQUEST, key, "", 1])
        return str(host), int(port), str(match)

    def _ask(self, message: list[Any]) -> Any:
        data = json.dumps(message).encode()
        try:
            self._socket.sendall(struct.pack("<i", len(data)) + data)
            (size,) = struct.unpack("<i", self._received(4))
            answer = json.loads(self._received(size))
        except (OSError, ValueError) as error:
            raise TrackerUnreachable(str(error)) from error
        if not isinstance(answer, list) or answer[0] != SUCCESS:
            raise TrackerUnreachable(f"it answers {answer}")
        return answer

    def _received(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise TrackerUnreachable("it closed the connection")
            data += part
        return data
