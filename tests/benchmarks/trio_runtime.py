"""Trio as a runtime; a process of an asyncio system does not import it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from tests.benchmarks.runtimes import Event, Job, T, Tasks


class TrioTasks:
    """A nursery."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start(self, job: Job) -> None:
        """Start a task."""
        self._nursery.start_soon(job)

    def cancel(self) -> None:
        """Cancel all of them."""
        self._nursery.cancel_scope.cancel()


class TrioRuntime:
    """Trio."""

    def run(self, main: Job) -> None:
        """Run `main` to its end."""
        trio.run(main)

    def event(self) -> Event:
        """Make an event."""
        return trio.Event()

    @asynccontextmanager
    async def tasks(self) -> AsyncIterator[Tasks]:
        """Open a nursery."""
        async with trio.open_nursery() as nursery:
            yield TrioTasks(nursery)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await trio.sleep(seconds)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in a thread."""
        return await trio.to_thread.run_sync(function)
