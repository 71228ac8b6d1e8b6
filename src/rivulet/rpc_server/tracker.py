"""A tracker that TVM's RPC servers and clients understand.

TVM's own needs the package ``tornado``, and hands out servers that were lost as well: one that is
switched off stays registered until the system gives its connection up.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import socket
import struct
from contextlib import suppress
from typing import Any

from rivulet.hardware.tracker import (
    FAIL,
    LARGEST_MESSAGE,
    MAGIC,
    PENDING,
    PING,
    PUT,
    REQUEST,
    SUCCESS,
    SUMMARY,
    UPDATE_INFO,
)

_LOGGER = logging.getLogger("tracker")
# Seconds after which a silent server is asked whether it is there, between questions, and how many.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class _Client:
    """A server that offers itself, or somebody who wants one."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.host = str(writer.get_extra_info("peername")[0])
        self.info: dict[str, Any] = {}
        self.offered: dict[str, tuple[str, list[Any]]] = {}  # match key to key and address

    def send(self, message: Any) -> None:
        data = json.dumps(message).encode()
        self.writer.write(struct.pack("<i", len(data)) + data)


class Tracker:
    """Hands free servers to those who ask, first come first served within a priority."""

    def __init__(self) -> None:
        self._clients: set[_Client] = set()
        self._waiting: dict[str, list[tuple[int, int, _Client]]] = {}
        self._numbers = itertools.count()

    async def serve(self, listening: socket.socket) -> None:
        """Serve for ever on a socket that listens."""
        server = await asyncio.start_server(self._meet, sock=listening)
        async with server:
            await server.serve_forever()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _keep_alive(writer.get_extra_info("socket"))
        client = _Client(writer)
        try:
            if struct.unpack("<i", await reader.readexactly(4))[0] != MAGIC:
                return
            writer.write(struct.pack("<i", MAGIC))
            self._clients.add(client)
            while True:
                (size,) = struct.unpack("<i", await reader.readexactly(4))
                if not 0 < size <= LARGEST_MESSAGE:
                    return
                self._answer(client, json.loads(await reader.readexactly(size)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, ValueError, LookupError, TypeError):
            pass  # it is gone, or speaks something else
        finally:
            self._forget(client)
            writer.close()

    def _answer(self, client: _Client, message: list[Any]) -> None:
        code = message[0]
        if code == PUT:
            key, (port, match) = message[1:3]
            host = message[3] if len(message) > 3 and message[3] else client.host
            client.offered[match] = (key, [host, port, match])
            client.send(SUCCESS)
            self._hand_out(key)
        elif code == REQUEST:
            key, _, priority = message[1:4]
            queue = self._waiting.setdefault(key, [])
            heapq.heappush(queue, (-priority, next(self._numbers), client))
            self._hand_out(key)
        elif code == PING:
            client.send(SUCCESS)
        elif code == PENDING:
            client.send(list(client.offered))
        elif code == UPDATE_INFO:
            client.info |= message[1]
            address = client.info.get("addr")
            if address and address[0] is None:
                address[0] = client.host
            _LOGGER.info("%s is there: %s", client.info.get("key"), address)
            client.send(SUCCESS)
        elif code == SUMMARY:
            client.send([SUCCESS, self._summary()])
        else:
            client.send(FAIL)

    def _hand_out(self, key: str) -> None:
        queue = self._waiting.get(key, [])
        while queue:
            free = ((c, m) for c in self._clients for m, (k, _) in c.offered.items() if k == key)
            found = next(free, None)
            if found is None:
                return
            _, _, wanting = heapq.heappop(queue)
            if wanting in self._clients:
                server, match = found
                wanting.send([SUCCESS, server.offered.pop(match)[1]])

    def _summary(self) -> dict[str, Any]:
        offers = [key for client in self._clients for key, _ in client.offered.values()]
        keys = {*offers, *self._waiting}
        queues = {
            key: {
                "free": offers.count(key),
                "pending": sum(c in self._clients for _, _, c in self._waiting.get(key, [])),
            }
            for key in sorted(keys)
        }
        servers = [c.info for c in self._clients if c.info.get("key", "").startswith("server")]
        return {"queue_info": queues, "server_info": servers}

    def _forget(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            if client.info:
                _LOGGER.info("%s is gone: %s", client.info.get("key"), client.info.get("addr"))


def _keep_alive(connection: socket.socket) -> None:
    """Notice within half a minute that the other side was switched off."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
