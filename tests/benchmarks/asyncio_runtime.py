"""asyncio as a runtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.benchmarks.runtimes import Event, Job, T, Tasks


class AsyncioTasks:
    """A task group, and its tasks to be cancelled."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        """Start a task."""
        task = self._group.create_task(job())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Cancel all of them."""
        for task in self._running:
            task.cancel()


class AsyncioRuntime:
    """asyncio, by the function that runs it, such as uvloop's."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run) -> None:
        self._run = run

    def run(self, main: Job) -> None:
        """Run `main` to its end."""
        self._run(main())

    def event(self) -> Event:
        """Make an event."""
        return asyncio.Event()

    @asynccontextmanager
    async def tasks(self) -> AsyncIterator[Tasks]:
        """Open a task group."""
        async with asyncio.TaskGroup() as group:
            yield AsyncioTasks(group)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in a thread."""
        return await asyncio.to_thread(function)
