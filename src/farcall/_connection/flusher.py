"""One task for all links of a Trio run, which flushes them once a turn of the event loop.

What tasks put into the lanes of a link in one turn leaves together in the next. That costs one task
switch for all links of the process; a task for each link would cost one for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import trio
from trio.lowlevel import Abort, RaiseCancelT, RunVar


class Flushable(Protocol):
    """The writer of a link, as far as a flusher knows it."""

    def flush_now(self) -> None:
        """Send what can be sent without waiting. Must not raise: other links are next."""


class Flusher:
    """The flusher of one Trio run. Its task lives while a link is `using` it."""

    def __init__(self) -> None:
        self._dirty: list[Flushable] = []
        self._links = 0
        self._is_running = False
        self._parked: trio.lowlevel.Task | None = None

    def add(self, writer: Flushable) -> None:
        """Flush `writer` in the next turn; without a link there is no task to do so."""
        if self._links:
            self._dirty.append(writer)
            self._wake()

    @contextmanager
    def using(self) -> Iterator[None]:
        """Keep the task alive during the block, in which a link may send."""
        self._links += 1
        if not self._is_running:
            self._is_running = True
            trio.lowlevel.spawn_system_task(self._run, name="farcall flusher")
        try:
            yield
        finally:
            self._links -= 1
            self._wake()

    def _wake(self) -> None:
        if self._parked is not None:
            task, self._parked = self._parked, None
            trio.lowlevel.reschedule(task)

    async def _run(self) -> None:
        # No link is left when it is cancelled: Trio does so after the main task has ended.
        while self._links:
            while self._dirty:
                dirty, self._dirty = self._dirty, []
                for writer in dirty:
                    writer.flush_now()
            self._parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        self._dirty.clear()
        self._is_running = False

    def _abort(self, _: RaiseCancelT) -> Abort:
        self._parked = None
        return Abort.SUCCEEDED


_flusher: RunVar[Flusher] = RunVar("farcall flusher")


def current_flusher() -> Flusher:
    try:
        return _flusher.get()
    except LookupError:
        _flusher.set(Flusher())
        return _flusher.get()
