"""One task for all heartbeats of a Trio run: it asks the watch of each link when its time has come.

A task for each link would cost each idle connection 3 KB. The task runs no code of the user, and a
fault in a watch ends its own link alone.
"""

from __future__ import annotations

import heapq
import logging
import math
from typing import Final

import trio
from trio.lowlevel import RunVar

from farcall._connection.heartbeat import Watch

logger: Final = logging.getLogger("farcall")

MOST_STOPPED: Final = 1000
"""Stopped watches that may wait for their time. Removing them takes a look at all slots, so it is
done for many at once."""


class Wheel:
    """The wheel of one Trio run. Its task lives while there is a link, from `join` to `leave`."""

    def __init__(self) -> None:
        # Links whose time is the same share a slot, and so a step of the task.
        self._slots: dict[float, list[Watch]] = {}
        self._times: list[float] = []
        """The times of the slots, as a heap."""
        self._links = self._stopped = 0
        self._is_running = False
        self._sleep = trio.CancelScope()

    def join(self, watch: Watch) -> None:
        """Ask a watch from now on, until it is stopped."""
        self._links += 1
        self._ask(watch, trio.current_time())
        if not self._is_running:
            self._is_running = True
            trio.lowlevel.spawn_system_task(self._run, name="farcall heartbeat")

    def leave(self, watch: Watch) -> None:
        """Stop a watch; the task ends with the last one."""
        watch.stop()
        self._links -= 1
        self._stopped += 1
        if self._stopped > MOST_STOPPED + self._links:
            self._remove_stopped()
        if not self._links:
            self._sleep.cancel()

    def _remove_stopped(self) -> None:
        self._slots = {
            at: watches
            for at, slot in self._slots.items()
            if (watches := [each for each in slot if not each.is_stopped])
        }
        self._times = sorted(self._slots)
        self._stopped = 0

    def _ask(self, watch: Watch, now: float) -> None:
        at = watch.act(now)
        if at is None or at == math.inf:
            return
        slot = self._slots.get(at)
        if slot is not None:
            slot.append(watch)
            return
        self._slots[at] = [watch]
        heapq.heappush(self._times, at)
        self._sleep.deadline = self._times[0]

    async def _run(self) -> None:
        # No link is left when it is cancelled: Trio does so after the main task has ended.
        while self._links:
            deadline = self._times[0] if self._times else math.inf
            with trio.CancelScope(deadline=deadline) as self._sleep:
                await trio.sleep_forever()
            self._turn(trio.current_time())
        self._slots.clear()
        self._times.clear()
        self._is_running = False

    def _turn(self, now: float) -> None:
        while self._times and self._times[0] <= now:
            for watch in self._slots.pop(heapq.heappop(self._times)):
                try:
                    self._ask(watch, now)
                except Exception:  # the other links have no part in it
                    logger.exception("the heartbeat of a connection failed")
                    watch.abort("internal error")


_wheel: RunVar[Wheel] = RunVar("farcall wheel")


def current_wheel() -> Wheel:
    try:
        return _wheel.get()
    except LookupError:
        _wheel.set(Wheel())
        return _wheel.get()
