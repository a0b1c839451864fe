"""Handlers that start in the order in which they ask: for a lock, or for a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio


@attrs.define(eq=False)
class ThreadLine:
    """The line in which the calls of one connection wait for a thread, as a limiter for Trio.

    The threads are those of Trio's default limiter. Its own `acquire` has a checkpoint, behind
    which tasks go on in any order, and so do those that it wakes together; here only the first one
    in line waits for it, and who need not wait starts at once.
    """

    _line: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """Take a thread, if need be after those who came before. Cancelled, it has taken none."""
        limiter = trio.to_thread.current_default_thread_limiter()
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
    """Hold a lock for the block, which is entered here and now if it is free.

    `trio.Lock.acquire` has a checkpoint also where it need not wait, behind which tasks go on in
    any order.
    """
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        await lock.acquire()
    try:
        yield
    finally:
        lock.release()
