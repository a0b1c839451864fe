"""python-socketio on aiohttp, over WebSocket alone, with an acknowledgement for each event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio
from aiohttp import web

from tests.benchmarks.asyncio_runtime import AsyncioRuntime
from tests.benchmarks.peer import Client, Options, Peer, rows

MESSAGE = 2_000_000
"""By default it takes 1,000,000 bytes, which the echo of a megabyte is just over."""


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    server = socketio.AsyncServer(
        async_mode="aiohttp", max_http_buffer_size=options.message or MESSAGE
    )

    async def add(sid: str, terms: list[int]) -> int:
        return terms[0] + terms[1]

    async def echo(sid: str, value: object) -> object:
        return value

    async def emit(sid: str, count: int) -> None:
        for number in range(count):
            quote = {"symbol": "ACME", "price": 12.5 + number}
            await server.emit("quoted", quote, room="listening")

    async def listen(sid: str) -> None:
        await server.enter_room(sid, "listening")

    for handler in (add, echo, emit, listen):
        server.on(handler.__name__, handler)
    await _serve_application(server, listening)


async def _serve_application(server: Any, listening: Callable[[int], None]) -> None:
    application = web.Application()
    server.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening(runner.addresses[0][1])
    await asyncio.Event().wait()


RECORDS = rows()


class EventClient(Client):
    """Events, and their acknowledgements."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return int(await self._client.call("add", [left, right]))

    async def echo_text(self, text: str) -> str:
        """Get a text back."""
        return str(await self._client.call("echo", text))

    async def echo_records(self) -> int:
        """Get records back."""
        return len(await self._client.call("echo", RECORDS))

    async def emit(self, count: int) -> None:
        """Have values emitted."""
        await self._client.call("emit", count)

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled."""
        self._client.on("quoted", lambda quote: received())
        await self._client.call("listen")
        started()
        await asyncio.Event().wait()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect."""
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    try:
        yield EventClient(client)
    finally:
        await client.disconnect()


PEER = Peer(AsyncioRuntime(), serve, connect)
