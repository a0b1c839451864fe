"""Who may call now: in the order in which they asked, no more at once than the peer serves.

Theory of operation. The peer said in its hello how many calls it takes; what is more it would
refuse. So callers wait here, in tasks of their own, having sent nothing. A call that its caller
has abandoned is in flight until it is answered, for the peer may still be at work on it. Between
the moment when a turn comes and the one when its call is made, the turn itself counts as a call:
nobody who came later gets in between. Trio runs tasks that were woken together in any order, so
turns are given one by one: the next one comes when the call of the last one is made.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio


class Turns:
    """The turns of the callers of one link.

    Args:
        in_flight: Tells how many calls the peer has to answer.
    """

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self.most: float = math.inf
        """How many calls the peer takes at once; infinite while it has not said."""
        self._in_flight = in_flight
        self._given = 0
        # As long as there are tasks that call; what a dict keeps of a set is its order.
        self._waiting: dict[trio.Event, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_free(self) -> bool:
        """Whether a call may be made here and now."""
        return not self._waiting and self._has_place

    @property
    def _has_place(self) -> bool:
        return self._in_flight() + self._given < self.most

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and keep it for the block.

        The call is made right behind it, without a checkpoint, and `advance` called then.
        Cancelled, it leaves the line, and whoever stands behind it moves up.
        """
        turn = trio.Event()
        self._waiting[turn] = None
        self.advance()
        try:
            await turn.wait()
            yield
        except BaseException:
            self._leave(turn)
            self.advance()
            raise
        self._leave(turn)

    def _leave(self, turn: trio.Event) -> None:
        if turn.is_set():
            self._given -= 1
        else:
            del self._waiting[turn]

    def advance(self) -> None:
        """Give the next turn, if somebody waits and there is a place."""
        if self._waiting and not self._given and self._has_place:
            self._give(next(iter(self._waiting)))

    def _give(self, turn: trio.Event) -> None:
        del self._waiting[turn]
        self._given += 1
        turn.set()

    def end(self) -> None:
        """Let everybody go: the link has ended, as they will see."""
        self.most = math.inf
        for turn in tuple(self._waiting):
            self._give(turn)
