"""So many at a time, in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Turnstile:
    """Let tasks in one by one, each of which says among how many it comes in.

    `trio.CapacityLimiter` has one such number for all; here several servers with limits of their
    own share one line. Who stands in front holds up everybody behind, also those who would bear
    more company: nobody overtakes, so nobody waits for ever.
    """

    def __init__(self) -> None:
        self.inside = 0
        """How many are, with the one whose turn has come."""
        # Trio runs tasks that were woken together in any order, so turns are given one by one.
        self._is_given = False
        # As long as there are tasks that wait. A plain dict is slow to find its first entry again
        # and again.
        self._waiting: OrderedDict[trio.Event, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def one_of(self, most: int) -> AsyncIterator[None]:
        """Be inside for the length of the block; come in when fewer than `most` are.

        Cancelled while waiting, it leaves the line.
        """
        if self._is_given or self._waiting or self.inside >= most:
            await self._wait_turn(most)
        else:
            self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._advance()

    async def _wait_turn(self, most: int) -> None:
        turn = trio.Event()
        self._waiting[turn] = most
        self._advance()
        try:
            await turn.wait()
        except BaseException:
            # Its turn may have come in the very moment in which it was cancelled.
            if turn.is_set():
                self._is_given = False
                self.inside -= 1
            else:
                del self._waiting[turn]
            self._advance()
            raise
        self._is_given = False
        self._advance()

    def _advance(self) -> None:
        """Give the next turn, if somebody waits, and fewer are inside than the first one bears."""
        if self._is_given or not self._waiting:
            return
        turn, most = next(iter(self._waiting.items()))
        if self.inside < most:
            del self._waiting[turn]
            self.inside += 1
            self._is_given = True
            turn.set()
