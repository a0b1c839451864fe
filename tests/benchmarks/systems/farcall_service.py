"""What farcall serves in the benchmark, with `async def` handlers and with plain ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import attrs

from farcall import Signal, service, stream
from tests.benchmarks.peer import CHUNK

ZEROS = bytes(CHUNK)


@attrs.frozen
class Record:
    """One of the hundred that an echo carries."""

    id: int
    name: str
    price: float
    is_open: bool
    at: datetime
    tags: list[str]
    note: str | None


@attrs.frozen
class Quote:
    """What is emitted."""

    symbol: str
    price: float


@service
class Feeds:
    """The signal and the streams, which both services have."""

    quoted: Signal[Quote] = Signal()

    def emit(self, count: int) -> None:
        """Emit so many values."""
        for number in range(count):
            self.quoted.emit(Quote("ACME", 12.5 + number))

    @stream
    async def count(self, items: int) -> AsyncIterator[int]:
        """Give so many numbers."""
        for number in range(items):
            yield number

    @stream
    async def give(self, chunks: int) -> AsyncIterator[bytes]:
        """Give so many chunks of bytes."""
        for _ in range(chunks):
            yield ZEROS


@service
class Bench(Feeds):
    """Handlers that may wait."""

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    async def echo_text(self, text: str) -> str:
        """Give a text back."""
        return text

    async def echo_records(self, records: list[Record]) -> list[Record]:
        """Give records back."""
        return records


@service(name="Bench")
class PlainBench(Feeds):
    """Handlers that run where their request is read."""

    def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    def echo_text(self, text: str) -> str:
        """Give a text back."""
        return text

    def echo_records(self, records: list[Record]) -> list[Record]:
        """Give records back."""
        return records
