"""Tasks, events and threads under one name, for Trio and for asyncio.

A load is written once and runs in the event loop of each system. It uses no more than this, so no
system pays for a layer between: calls themselves are awaited directly.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Job = Callable[[], Coroutine[Any, Any, None]]


class Event(Protocol):
    """What `trio.Event` and `asyncio.Event` have in common."""

    def set(self) -> None:
        """Wake all tasks that wait."""

    async def wait(self) -> object:
        """Wait until it is set."""


class Tasks(Protocol):
    """Tasks that run until the block that opened them has ended."""

    def start(self, job: Job) -> None:
        """Start a task."""

    def cancel(self) -> None:
        """Cancel all of them."""


class Runtime(Protocol):
    """An event loop."""

    def run(self, main: Job) -> None:
        """Run `main` to its end."""

    def event(self) -> Event:
        """Make an event."""

    def tasks(self) -> AbstractAsyncContextManager[Tasks]:
        """Open a group of tasks; leaving it waits for all of them."""

    async def sleep(self, seconds: float) -> None:
        """Sleep."""

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in a thread."""


async def together(runtime: Runtime, jobs: list[Job]) -> None:
    """Run all jobs, each in a task of its own, until the last has ended."""
    async with runtime.tasks() as tasks:
        for job in jobs:
            tasks.start(job)
