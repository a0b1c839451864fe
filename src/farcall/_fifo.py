"""Waiting in order: for a lock, for a thread, or for one of several slots."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from msgspec import Struct


class ThreadLine(Struct, eq=False):
    """A limiter for `trio.to_thread` whose tasks get their threads in order.

    The threads are those of Trio's default limiter. Its own `acquire` has a checkpoint, after which
    tasks go on in any order, as do tasks that it wakes together. Here only the first task in line
    waits for it, and a task that need not wait starts at once.
    """

    _line: trio.Lock | None = None

    def __len__(self) -> int:
        """Count the calls that wait for a thread."""
        if self._line is None:
            return 0
        line = self._line.statistics()
        return line.locked + line.tasks_waiting

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """Take a thread, after the tasks that came before. Cancelled, it has taken none."""
        limiter = trio.to_thread.current_default_thread_limiter()
        self._line = self._line or trio.Lock()
        async with in_turn(self._line):
            try:
                limiter.acquire_on_behalf_of_nowait(borrower)
            except trio.WouldBlock:
                await limiter.acquire_on_behalf_of(borrower)

    def release_on_behalf_of(self, borrower: object) -> None:
        """Give the thread back."""
        trio.to_thread.current_default_thread_limiter().release_on_behalf_of(borrower)


@asynccontextmanager
async def in_turn(lock: trio.Lock) -> AsyncIterator[None]:
    """Hold a lock during the block, which starts without a checkpoint if the lock is free.

    `trio.Lock.acquire` always has a checkpoint, after which tasks go on in any order.
    """
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        await lock.acquire()
    try:
        yield
    finally:
        lock.release()


class RankedLimiter:
    """Let tasks in one by one; each brings a limit of its own.

    `trio.CapacityLimiter` has one limit for all tasks; here several servers with limits of their
    own share one line. The first task in line delays all others, also those with a higher limit.
    Only a lower rank overtakes, so no task of the lowest rank waits for ever.
    """

    def __init__(self) -> None:
        self.inside = 0
        """How many tasks are inside, with the one whose turn has come."""
        # Trio runs tasks that were woken together in any order, so turns are given one by one.
        self._is_given = False
        # By rank, without ranks for which no task waits. A plain dict is slow to find its first
        # entry again and again.
        self._waiting: dict[int, OrderedDict[trio.Event, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def one_of(self, most: int, rank: int = 0) -> AsyncIterator[None]:
        """Be inside during the block; enter when fewer than `most` tasks are inside.

        Cancelled while waiting, it leaves the line.

        Args:
            most: How many may be inside, with this one.
            rank: The lowest comes first.
        """
        if self._is_given or self._waiting or self.inside >= most:
            await self._wait_turn(most, rank)
        else:
            self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._advance()

    async def _wait_turn(self, most: int, rank: int) -> None:
        turn = trio.Event()
        self._waiting.setdefault(rank, OrderedDict())[turn] = most
        self._advance()
        try:
            await turn.wait()
        except BaseException:
            # Its turn may have come in the same step in which it was cancelled.
            if turn.is_set():
                self._is_given = False
                self.inside -= 1
            else:
                self._remove(turn, rank)
            self._advance()
            raise
        self._is_given = False
        self._advance()

    def _remove(self, turn: trio.Event, rank: int) -> None:
        del self._waiting[rank][turn]
        if not self._waiting[rank]:
            del self._waiting[rank]

    def _advance(self) -> None:
        """Give the first task its turn, if fewer tasks are inside than its limit."""
        if self._is_given or not self._waiting:
            return
        rank = min(self._waiting)
        turn, most = next(iter(self._waiting[rank].items()))
        if self.inside < most:
            self._remove(turn, rank)
            self.inside += 1
            self._is_given = True
            turn.set()
