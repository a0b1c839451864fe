"""The floor: the least that RPC on Trio can cost, as one would write it by hand for this one use.

A line of JSON for each message on Trio's TCP streams, by msgspec, without validation, limits,
deadlines or cancellation. Each request has a task of its own. Messages that wait while others are
being sent leave together, in one send.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import trio

from tests.benchmarks.peer import Client, Options, Peer
from tests.benchmarks.trio_runtime import TrioRuntime

RECEIVED = 64 * 1024
"""Bytes taken from the socket at a time."""

WAITING = 64 * 1024
"""Bytes that a stream has waiting before it stops to send them."""

BUFFERED = 1024
"""Values that wait for the task that listens, as farcall has it."""

HEARTBEAT = 20.0
"""Seconds between pings, as farcall has it."""


class Request(msgspec.Struct, gc=False):
    """A call; a ping has no id."""

    id: int
    method: str
    params: Any = None


class Reply(msgspec.Struct, gc=False):
    """A result, an item of a stream, or an emitted value, which has the id 0."""

    id: int
    result: Any = None
    is_last: bool = True


encode = msgspec.json.Encoder().encode
decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode


class Link:
    """A stream of lines: what is to be sent, and what comes."""

    def __init__(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        self._stream = stream
        self._nursery = nursery
        self._waiting: list[bytes] = []
        self._rest = b""
        self.is_sending = False

    def put(self, line: bytes) -> None:
        """Have a line wait for the next `flush`."""
        self._waiting += line, b"\n"

    async def flush(self) -> None:
        """Send what waits; what is put meanwhile leaves after that, in one send of another task."""
        if self.is_sending or not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        self.is_sending = True
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(data)
        self.is_sending = False
        if self._waiting:
            self.flush_soon()

    def flush_soon(self) -> None:
        """Send what waits in a task of its own."""
        self._nursery.start_soon(self.flush)

    async def receive(self) -> list[bytes]:
        """Wait for lines; an empty list is the end."""
        pieces = [self._rest]
        while data := await self._stream.receive_some(RECEIVED):
            pieces.append(data)
            if b"\n" in data:
                # Joined once: a long line has many pieces.
                *lines, self._rest = b"".join(pieces).split(b"\n")
                return lines
        return []


# The server


class Server:
    """Methods by name, and the links of who listens."""

    def __init__(self) -> None:
        self._listening: set[Link] = set()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        async with stream, trio.open_nursery() as nursery:
            link = Link(stream, nursery)
            nursery.start_soon(_ping, link)
            while lines := await link.receive():
                for line in lines:
                    nursery.start_soon(self._answer, link, decode_request(line))
            self._listening.discard(link)
            nursery.cancel_scope.cancel()

    async def _answer(self, link: Link, request: Request) -> None:
        match request.method:
            case "add":
                left, right = request.params
                link.put(encode(Reply(request.id, left + right)))
            case "echo":
                link.put(encode(Reply(request.id, request.params)))
            case "emit":
                self._emit(request.params)
                link.put(encode(Reply(request.id)))
            case "listen":
                self._listening.add(link)
                link.put(encode(Reply(request.id)))
            case "count":
                await _send_numbers(link, request)
            case _:
                return  # the answer to a ping
        await link.flush()

    def _emit(self, count: int) -> None:
        for number in range(count):
            line = encode(Reply(0, {"symbol": "ACME", "price": 12.5 + number}))
            for link in self._listening:
                link.put(line)
        for link in self._listening:
            link.flush_soon()


async def _send_numbers(link: Link, request: Request) -> None:
    waiting = 0
    for number in range(request.params):
        line = encode(Reply(request.id, number, is_last=False))
        link.put(line)
        waiting += len(line)
        if waiting > WAITING:
            await link.flush()
            while link.is_sending:  # another task's message; this stream waits for it
                await trio.lowlevel.checkpoint()
            waiting = 0
    link.put(encode(Reply(request.id)))


async def _ping(link: Link) -> None:
    while True:
        await trio.sleep(HEARTBEAT)
        link.put(encode(Reply(-1)))
        await link.flush()


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    async with trio.open_nursery() as nursery:
        start = functools.partial(nursery.start, trio.serve_tcp, Server().serve, 0)
        listeners: list[trio.SocketListener] = await start()
        listening(listeners[0].socket.getsockname()[1])


# The client


class Waiter:
    """What has come for a call, and the task that waits for more, once it does."""

    __slots__ = ("is_done", "items", "result", "task")

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = None
        self.is_done = False
        self.result: Any = None
        self.items = deque[Any]()

    async def wait(self) -> None:
        """Wait until something comes."""
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(_never_cancelled)

    def wake(self) -> None:
        """Wake the task that waits."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None


class FloorClient(Client):
    """Ids, a table of who waits, one reader."""

    def __init__(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        self._link = Link(stream, nursery)
        self._ids = itertools.count(1)
        self._waiting: dict[int, Waiter] = {}
        self._values, self._subscription = trio.open_memory_channel[object](BUFFERED)

    async def read(self) -> None:
        """Hear the server until it hangs up."""
        while lines := await self._link.receive():
            for line in lines:
                reply = decode_reply(line)
                if reply.id > 0:
                    self._hear(reply)
                elif reply.id == 0:
                    self._values.send_nowait(reply.result)
                else:
                    self._link.put(encode(Request(0, "pong")))
                    await self._link.flush()

    def _hear(self, reply: Reply) -> None:
        waiter = self._waiting[reply.id]
        if reply.is_last:
            del self._waiting[reply.id]
            waiter.is_done, waiter.result = True, reply.result
        else:
            waiter.items.append(reply.result)
        waiter.wake()

    async def _send(self, method: str, params: object) -> Waiter:
        id = next(self._ids)
        self._waiting[id] = waiter = Waiter()
        self._link.put(encode(Request(id, method, params)))
        await self._link.flush()
        return waiter

    async def _call(self, method: str, params: object = None) -> Any:
        waiter = await self._send(method, params)
        if not waiter.is_done:
            await waiter.wait()
        return waiter.result

    async def _stream(self, method: str, params: object) -> AsyncIterator[Any]:
        waiter = await self._send(method, params)
        while True:
            while waiter.items:
                yield waiter.items.popleft()
            if waiter.is_done:
                return
            await waiter.wait()

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return int(await self._call("add", (left, right)))

    async def echo_text(self, text: str) -> str:
        """Get a text back."""
        return str(await self._call("echo", text))

    async def emit(self, count: int) -> None:
        """Have values emitted."""
        await self._call("emit", count)

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled."""
        await self._call("listen")
        started()
        async for _ in self._subscription:
            received()

    async def count(self, items: int) -> int:
        """Read a stream of numbers."""
        came = 0
        async for _ in self._stream("count", items):
            came += 1
        return came


def _never_cancelled(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect, and read until the end of the block."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        async with trio.open_nursery() as nursery:
            client = FloorClient(stream, nursery)
            nursery.start_soon(client.read)
            yield client
            nursery.cancel_scope.cancel()


PEER = Peer(TrioRuntime(), serve, connect)
