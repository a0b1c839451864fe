"""farcall as it is used: a served object, and a client by its generated stub, with all defaults."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import trio

import farcall
from farcall import Limits
from tests.benchmarks.peer import Client, Options, Peer, rows
from tests.benchmarks.stubs.bench import BenchProxy, Record
from tests.benchmarks.systems.farcall_service import Bench, PlainBench
from tests.benchmarks.trio_runtime import TrioRuntime


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever."""
    served = Bench() if options.variant == "async" else PlainBench()
    limits = Limits(message=options.message) if options.message else Limits()
    async with trio.open_nursery() as nursery:
        start = functools.partial(farcall.serve, served, 0, limits=limits)
        server: farcall.Server = await nursery.start(start)
        listening(server.port)


def _record(row: dict[str, Any]) -> Record:
    return Record(**{**row, "at": datetime.fromisoformat(row["at"])})


RECORDS = [_record(row) for row in rows()]


class StubClient(Client):
    """Leads to the methods of the stub."""

    def __init__(self, bench: BenchProxy) -> None:
        self._bench = bench

    def add(self, left: int, right: int) -> Awaitable[int]:
        """Add two numbers."""
        return self._bench.add(left, right)

    def echo_text(self, text: str) -> Awaitable[str]:
        """Get a text back."""
        return self._bench.echo_text(text)

    def emit(self, count: int) -> Awaitable[None]:
        """Have values emitted."""
        return self._bench.emit(count)

    async def echo_records(self) -> int:
        """Get records back."""
        return len(await self._bench.echo_records(RECORDS))

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled."""
        async with self._bench.quoted.subscribe() as quotes:
            started()
            async for _ in quotes:
                received()

    async def count(self, items: int) -> int:
        """Read a stream of numbers."""
        came = 0
        async with self._bench.count(items) as numbers:
            async for _ in numbers:
                came += 1
        return came

    async def give(self, chunks: int) -> int:
        """Read a stream of bytes."""
        came = 0
        async with self._bench.give(chunks) as pieces:
            async for piece in pieces:
                came += len(piece)
        return came


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect by the stub."""
    async with farcall.connect(f"ws://127.0.0.1:{port}", BenchProxy) as bench:
        yield StubClient(bench)


PEER = Peer(TrioRuntime(), serve, connect)
