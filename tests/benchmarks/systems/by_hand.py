"""`websockets` on uvloop, with JSON-RPC written by hand over it by msgspec, without types.

Messages are handled one after another where they are read, as in the guide of `websockets`; nothing
is compressed, as nothing is in farcall.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from tests.benchmarks.asyncio_runtime import AsyncioRuntime
from tests.benchmarks.peer import CHUNK, Client, Options, Peer, rows

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

MESSAGE = 1024 * 1024
"""The largest message that `websockets` takes by default."""


def _text(message: dict[str, Any]) -> str:
    return encode(message).decode()


class Server:
    """Methods, and the connections that listen."""

    def __init__(self) -> None:
        self._listening: set[ServerConnection] = set()

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        try:
            async for message in connection:
                request = decode(message)
                result = await self._call(connection, **request)
                await connection.send(_text({"id": request["id"], "result": result}))
        finally:
            self._listening.discard(connection)

    async def _call(self, connection: ServerConnection, id: int, method: str, params: Any) -> Any:
        match method:
            case "add":
                return params[0] + params[1]
            case "echo":
                return params
            case "emit":
                self._emit(params)
            case "listen":
                self._listening.add(connection)
            case "count":
                for number in range(params):
                    await connection.send(_text({"id": id, "item": number}))
            case "give":
                for _ in range(params):
                    await connection.send(bytes(CHUNK))
            case _:
                raise ValueError(method)
        return None

    def _emit(self, count: int) -> None:
        for number in range(count):
            quote = {"symbol": "ACME", "price": 12.5 + number}
            broadcast(self._listening, _text({"quoted": quote}))


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    most = options.message or MESSAGE
    serving = serve_websockets(Server().serve, "127.0.0.1", 0, compression=None, max_size=most)
    async with serving as server:
        (socket,) = server.sockets
        listening(socket.getsockname()[1])
        await server.serve_forever()


RECORDS = rows()


class HandClient(Client):
    """Ids, a table of futures, one reader."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._received: Callable[[], None] = lambda: None
        self._came = 0

    async def read(self) -> None:
        """Hear the server until it hangs up."""
        async for message in self._connection:
            if isinstance(message, bytes):
                self._came += len(message)
                continue
            heard = decode(message)
            if "quoted" in heard:
                self._received()
            elif "item" in heard:
                self._came += 1
            else:
                self._waiting.pop(heard["id"]).set_result(heard["result"])

    async def _call(self, method: str, params: object = None) -> Any:
        id = next(self._ids)
        self._waiting[id] = future = asyncio.get_running_loop().create_future()
        await self._connection.send(_text({"id": id, "method": method, "params": params}))
        return await future

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return int(await self._call("add", (left, right)))

    async def echo_text(self, text: str) -> str:
        """Get a text back."""
        return str(await self._call("echo", text))

    async def echo_records(self) -> int:
        """Get records back."""
        return len(await self._call("echo", RECORDS))

    async def emit(self, count: int) -> None:
        """Have values emitted."""
        await self._call("emit", count)

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled."""
        self._received = received
        await self._call("listen")
        started()
        await asyncio.Event().wait()

    async def count(self, items: int) -> int:
        """Read a stream of numbers; the reader counts them."""
        return await self._stream("count", items)

    async def give(self, chunks: int) -> int:
        """Read a stream of bytes; the reader counts them."""
        return await self._stream("give", chunks)

    async def _stream(self, method: str, items: int) -> int:
        self._came = 0
        await self._call(method, items)
        return self._came


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect, and read until the end of the block."""
    url = f"ws://127.0.0.1:{port}"
    async with open_websocket(url, compression=None, max_size=None) as connection:
        client = HandClient(connection)
        reader = asyncio.create_task(client.read())
        yield client
        reader.cancel()


PEER = Peer(AsyncioRuntime(uvloop.run), serve, connect)
