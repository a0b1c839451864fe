"""So many at a time, by rank, and in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Turnstile:
    """Let tasks in one by one, each of which says among how many it comes in.

    `trio.CapacityLimiter` has one such number for all; here several servers with limits of their
    own share one line. The first in line holds up all others, also those who would bear more
    company. Only a lower rank overtakes, so nobody of the lowest rank waits for ever.
    """

    def __init__(self) -> None:
        self.inside = 0
        """How many are, with the one whose turn has come."""
        # Trio runs tasks that were woken together in any order, so turns are given one by one.
        self._is_given = False
        # By rank; a rank for which no task waits is not there. A plain dict is slow to find its
        # first entry again and again.
        self._waiting: dict[int, OrderedDict[trio.Event, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def one_of(self, most: int, rank: int = 0) -> AsyncIterator[None]:
        """Be inside for the length of the block; come in when fewer than `most` are.

        Cancelled while waiting, it leaves the line.

        Args:
            most: How many may be inside, this one among them.
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
            # Its turn may have come in the very moment in which it was cancelled.
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
        """Give the next turn, if somebody waits, and fewer are inside than the first one bears."""
        if self._is_given or not self._waiting:
            return
        rank = min(self._waiting)
        turn, most = next(iter(self._waiting[rank].items()))
        if self.inside < most:
            self._remove(turn, rank)
            self.inside += 1
            self._is_given = True
            turn.set()
