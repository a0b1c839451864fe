"""Who may call now: in the order in which they asked, no more at once than the peer serves.

Theory of operation. The peer said in its hello how many calls it takes, and how much their
parameters may be together; what is more it would refuse. So callers wait here, in tasks of their
own, having sent nothing. A call that its caller has abandoned is in flight until it is answered,
for the peer may still be at work on it. Between the moment when a turn comes and the one when its
call is made, the turn itself counts as a call: nobody who came later gets in between. Trio runs
tasks that were woken together in any order, so turns are given one by one: the next one comes when
the call of the last one is made.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio


class Turns:
    """The turns of the callers of one link.

    Args:
        calls: Tells how many calls the peer has to answer.
        size: Tells how large their parameters are together, in bytes.
    """

    def __init__(self, calls: Callable[[], int], size: Callable[[], int]) -> None:
        self.most: float = math.inf
        """How many calls the peer takes at once; infinite while it has not said."""
        self.most_bytes: float = math.inf
        """How large the parameters of these calls may be together; as with `most`."""
        self._calls = calls
        self._size = size
        self._given: dict[trio.Event, int] = {}
        """The turn that has come and was not used yet, with the size of its call."""
        # As long as there are tasks that call. A plain dict is slow to find its first entry again
        # and again.
        self._waiting: OrderedDict[trio.Event, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def obstacle(self, size: int) -> str | None:
        """Name the limit for which a call would have to wait; None where it may be made at once.

        Args:
            size: Of its parameters, in bytes.
        """
        if self._waiting:
            return self._excess(next(iter(self._waiting.values()))) or "calls"
        return self._excess(size)

    def _excess(self, size: int) -> str | None:
        if self._calls() + len(self._given) >= self.most:
            return "calls"
        if self._size() + sum(self._given.values()) + size > self.most_bytes:
            return "call_bytes"
        return None

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait for a turn to make a call of this size, and keep it for the block.

        The call is made right behind it, without a checkpoint, and `advance` called then.
        Cancelled, it leaves the line, and whoever stands behind it moves up.
        """
        turn = trio.Event()
        self._waiting[turn] = size
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
        del (self._given if turn.is_set() else self._waiting)[turn]

    def advance(self) -> None:
        """Give the next turn, if somebody waits and there is a place."""
        if self._waiting and not self._given:
            turn, size = next(iter(self._waiting.items()))
            if self._excess(size) is None:
                self._give(turn)

    def _give(self, turn: trio.Event) -> None:
        self._given[turn] = self._waiting.pop(turn)
        turn.set()

    def end(self) -> None:
        """Let everybody go: the link has ended, as they will see."""
        self.most = self.most_bytes = math.inf
        for turn in tuple(self._waiting):
            self._give(turn)
