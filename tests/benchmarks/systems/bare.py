"""trio-websocket alone: what one pays to connect, and to get one message back, without farcall."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import trio_websocket

from tests.benchmarks.peer import Client, Options, Peer
from tests.benchmarks.trio_runtime import TrioRuntime


async def _echo(request: trio_websocket.WebSocketRequest) -> None:
    socket = await request.accept()
    try:
        while True:
            await socket.send_message(await socket.get_message())
    except trio_websocket.ConnectionClosed:
        return


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    async with trio.open_nursery() as nursery:
        start = functools.partial(
            trio_websocket.serve_websocket, _echo, "127.0.0.1", 0, ssl_context=None
        )
        server: trio_websocket.WebSocketServer = await nursery.start(start)
        listening(server.port)


class BareClient(Client):
    """Has its number echoed in place of a call."""

    def __init__(self, socket: trio_websocket.WebSocketConnection) -> None:
        self._socket = socket

    async def add(self, left: int, right: int) -> int:
        """Have the sum echoed."""
        await self._socket.send_message(str(left + right))
        return int(await self._socket.get_message())


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect."""
    url = f"ws://127.0.0.1:{port}"
    async with trio_websocket.open_websocket_url(url) as socket:
        yield BareClient(socket)


PEER = Peer(TrioRuntime(), serve, connect)
