"""What the code of a system gives to the benchmark: a server, and a client of it.

This module and those that a child process needs import nothing beyond the standard library: a
system may run in an environment of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from tests.benchmarks.runtimes import Runtime

RECORDS = 100
"""In one echo of records."""

CHUNK = 64 * 1024
"""Bytes of one item of a stream of bytes."""


class Client:
    """One connection, as the loads use it. A system overrides what it offers.

    An override may be a coroutine function, or a function that gives what is awaited.
    """

    def add(self, left: int, right: int) -> Awaitable[int]:
        """Add two numbers."""
        raise NotImplementedError

    def echo_text(self, text: str) -> Awaitable[str]:
        """Get a text back."""
        raise NotImplementedError

    def echo_records(self) -> Awaitable[int]:
        """Get `RECORDS` records back as objects, and tell how many came."""
        raise NotImplementedError

    def emit(self, count: int) -> Awaitable[None]:
        """Have the server emit so many values to all who listen."""
        raise NotImplementedError

    def listen(self, started: Callable[[], None], received: Callable[[], None]) -> Awaitable[None]:
        """Listen until cancelled; tell when the server knows, and of each value that came."""
        raise NotImplementedError

    def count(self, items: int) -> Awaitable[int]:
        """Read a stream of so many numbers, and tell how many came."""
        raise NotImplementedError

    def give(self, chunks: int) -> Awaitable[int]:
        """Read a stream of chunks of `CHUNK` bytes, and tell how many bytes came."""
        raise NotImplementedError


@dataclass(frozen=True)
class Options:
    """What a server is asked for beyond its defaults."""

    variant: str = ""
    """Which of its servers, for a module that has several."""
    message: int = 0
    """The largest message that it has to take; 0 for its default."""


Serve = Callable[[Options, Callable[[int], None]], Awaitable[None]]
"""Serve for ever; the second argument is told the port when it is open."""

Connect = Callable[[int], AbstractAsyncContextManager[Client]]
"""Connect to a port."""


@dataclass(frozen=True)
class Peer:
    """A system at both ends."""

    runtime: Runtime
    serve: Serve
    connect: Connect


def rows() -> list[dict[str, object]]:
    """Make the records of the echo as plain data, with times as text."""
    return [
        {
            "id": number,
            "name": f"instrument {number}",
            "price": 12.5 + number,
            "is_open": number % 2 == 0,
            "at": f"2026-11-29T12:{number % 60:02}:00+00:00",
            "tags": ["spot", "cash"],
            "note": None if number % 3 else "halted at noon",
        }
        for number in range(RECORDS)
    ]
