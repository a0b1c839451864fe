"""One task for all links of a Trio run, which flushes them once a turn of the event loop.

What tasks put into the lanes of a link in one turn leaves together in the next. That costs one task
switch for all links of the process; a task for each link would cost one for each. What may be late
waits for the next message of its link, or for `LATE_SECONDS`, with one timer for all links.
"""

from __future__ import annotations

from typing import Final, Protocol

import trio
from trio.lowlevel import Abort, RaiseCancelT, RunVar

LATE_SECONDS: Final = 0.25
"""Saves more than half of the credit messages of a stream of 10 values a second. A large value may
wait for as long, once, so it must not be much longer."""


class Flushable(Protocol):
    """The writer of a link, as far as a flusher knows it."""

    def flush_now(self) -> None:
        """Send what can be sent without waiting. Must not raise: other links are next."""

    def flush_late(self) -> None:
        """Be flushed now, if something waits still. Must not raise, either."""


class Flusher:
    """The flusher of one Trio run. Its task lives while there is a link, from `join` to `leave`."""

    def __init__(self) -> None:
        self._dirty: list[Flushable] = []
        self._late: list[Flushable] = []
        self._scope = trio.CancelScope()
        """Ends when the late ones are due."""
        self._links = 0
        self._is_running = False
        self._parked: trio.lowlevel.Task | None = None

    def add(self, writer: Flushable) -> None:
        """Flush `writer` in the next turn; without a link there is no task to do so."""
        if self._links:
            self._dirty.append(writer)
            self._wake()

    def add_late(self, writer: Flushable) -> None:
        """Flush `writer` within `LATE_SECONDS`, together with all that are late by then."""
        if self._links:
            if not self._late:
                self._scope.deadline = trio.current_time() + LATE_SECONDS
            self._late.append(writer)

    def join(self) -> None:
        """Count a link, which may send from now on."""
        self._links += 1
        if not self._is_running:
            self._is_running = True
            trio.lowlevel.spawn_system_task(self._run, name="farcall flusher")

    def leave(self) -> None:
        """Count a link no more; the task ends with the last one."""
        self._links -= 1
        if not self._links:
            self._wake()

    def _wake(self) -> None:
        if self._parked is not None:
            task, self._parked = self._parked, None
            trio.lowlevel.reschedule(task)

    async def _run(self) -> None:
        # No link is left when it is cancelled: Trio does so after the main task has ended.
        while self._links:
            with self._scope:
                await self._flush_all()
            if self._scope.cancelled_caught:
                self._scope = trio.CancelScope()
                late, self._late = self._late, []
                for writer in late:
                    writer.flush_late()
        self._dirty.clear()
        self._late.clear()
        self._scope = trio.CancelScope()
        self._is_running = False

    async def _flush_all(self) -> None:
        while self._links:
            while self._dirty:
                dirty, self._dirty = self._dirty, []
                for writer in dirty:
                    writer.flush_now()
            self._parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

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
