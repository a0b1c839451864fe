"""grpc.aio with protobuf, by its basics tutorial; the classes are made from ``bench.proto``."""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc_tools
from grpc_tools import protoc

from tests.benchmarks.asyncio_runtime import AsyncioRuntime
from tests.benchmarks.peer import CHUNK, Client, Options, Peer, rows


def _generate() -> tuple[Any, Any]:
    """Have protoc write the modules of messages and of stubs, and import them."""
    here = Path(__file__).parent
    known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        failed = protoc.main(["protoc", f"-I{here}", f"-I{known}", *outputs, "bench.proto"])
        assert not failed
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("bench_pb2"), importlib.import_module("bench_pb2_grpc")
        finally:
            sys.path.remove(folder)


messages, stubs = _generate()

OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
"""Otherwise all channels of a process to one server share one connection."""


# The server


async def _add(request: Any, context: Any) -> Any:
    return messages.Number(value=request.left + request.right)


async def _echo(request: Any, context: Any) -> Any:
    return request


async def _count(request: Any, context: Any) -> AsyncIterator[Any]:
    for number in range(request.value):
        yield messages.Number(value=number)


async def _give(request: Any, context: Any) -> AsyncIterator[Any]:
    for _ in range(request.value):
        yield messages.Chunk(value=bytes(CHUNK))


class Quotes:
    """A queue for each client that listens."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Any]] = set()

    async def emit(self, request: Any, context: Any) -> Any:
        """Put values into all queues."""
        for number in range(request.value):
            quote = messages.Quote(symbol="ACME", price=12.5 + number)
            for queue in self._queues:
                queue.put_nowait(quote)
        return messages.Nothing()

    async def listen(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Stream what comes into a queue."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._queues.add(queue)
        await context.send_initial_metadata(())
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    server = grpc.aio.server()
    quotes = Quotes()
    servicer = SimpleNamespace(
        Add=_add,
        EchoText=_echo,
        EchoRecords=_echo,
        Emit=quotes.emit,
        Listen=quotes.listen,
        Count=_count,
        Give=_give,
    )
    stubs.add_BenchServicer_to_server(servicer, server)
    port: int = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    listening(port)
    await server.wait_for_termination()


# The client


def _record(row: dict[str, Any]) -> Any:
    record = messages.Record(**{name: row[name] for name in row if name != "at"})
    record.at.FromDatetime(datetime.fromisoformat(row["at"]))
    return record


RECORDS = messages.Records(records=[_record(row) for row in rows()])


class StubClient(Client):
    """Leads to the stub."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        reply = await self._stub.Add(messages.Terms(left=left, right=right))
        return int(reply.value)

    async def echo_text(self, text: str) -> str:
        """Get a text back."""
        return str((await self._stub.EchoText(messages.Text(value=text))).value)

    async def echo_records(self) -> int:
        """Get records back."""
        return len((await self._stub.EchoRecords(RECORDS)).records)

    async def emit(self, count: int) -> None:
        """Have values emitted."""
        await self._stub.Emit(messages.Number(value=count))

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled."""
        call = self._stub.Listen(messages.Nothing())
        await call.initial_metadata()
        started()
        async for _ in call:
            received()

    async def count(self, items: int) -> int:
        """Read a stream of numbers."""
        came = 0
        async for _ in self._stub.Count(messages.Number(value=items)):
            came += 1
        return came

    async def give(self, chunks: int) -> int:
        """Read a stream of bytes."""
        came = 0
        async for chunk in self._stub.Give(messages.Number(value=chunks)):
            came += len(chunk.value)
        return came


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect, each time by a connection of its own."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        await channel.channel_ready()
        yield StubClient(stubs.BenchStub(channel))


PEER = Peer(AsyncioRuntime(), serve, connect)
