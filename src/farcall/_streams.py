"""The local halves of a stream: values that wait to be sent, and values that wait to be read.

Neither knows a connection. What bounds both is the credit of the stream: the reader grants as much
as it has room for, and who produces waits until its value may go. A reader may grant without end,
so what waits to be sent has a bound of its own as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

import trio

from farcall._budget import Account
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, SendCredit, Window
from farcall._protocol.room import ITEM_OVERHEAD

T_co = TypeVar("T_co", covariant=True)

MOST_WAITING: Final = Window(256, DEFAULT_WINDOW.size)
"""What keeps a writer busy; more of it only grows while the transport takes nothing."""

ITEM_COST: Final = 64
"""Bytes that a small value which waits costs beside its text."""


class Outbox:
    """Encoded values of one stream, in order, as many as its reader has room for.

    Args:
        credit: How much the reader takes.
        wake: Called, synchronously, when there is something to take.
        account: Where the bytes that wait are counted.
    """

    def __init__(self, credit: SendCredit, wake: Callable[[], None], account: Account) -> None:
        self._credit = credit
        self._wake = wake
        self._account = account
        self._values: deque[bytes] = deque()
        self._size = 0
        self._room = trio.Event()
        self.is_closed = False
        """Whether nobody takes values any more."""
        self.has_dropped = False
        """Whether values are missing, that is: were there and will not be sent."""

    async def put(self, value: bytes) -> None:
        """Add a value, and wait until the reader has room for another one, or will have none.

        Once closed it drops the value. Cancelled while it waits, it has added it all the same.
        """
        # A producer need not wait for anything else; nobody but this can end one that is cancelled.
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.is_closed:
            self.has_dropped = True
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        self._values.append(value)
        self._size += len(value)
        self._account.hold(len(value) + ITEM_COST)
        self._wake()
        while not self._has_room and not self.is_closed:
            self._room = trio.Event()
            await self._room.wait()

    def take(self, max_bytes: int) -> list[bytes]:
        """Take the values that may be sent now, in one message.

        Args:
            max_bytes: How large several values may be together, each with its `ITEM_OVERHEAD`.
        """
        taken: list[bytes] = []
        size = 0
        was_full = not self._is_small
        while self._values and self._may_go(len(taken), size, max_bytes):
            value = self._values.popleft()
            taken.append(value)
            size += len(value)
        self._release(size, len(taken))
        if was_full:
            self._room.set()
        return taken

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._values

    def on_credit(self) -> None:
        """Go on: the reader has room for more."""
        if self._has_room:
            self._room.set()
        self._wake()

    def close(self) -> None:
        """Drop what waits, and let the producer go."""
        self.is_closed = True
        self.has_dropped = self.has_dropped or bool(self._values)
        count = len(self._values)
        self._values.clear()
        self._release(self._size, count)
        self._room.set()

    def _release(self, size: int, count: int) -> None:
        self._size -= size
        self._account.release(size + count * ITEM_COST)

    @property
    def _has_room(self) -> bool:
        """Whether another value could be sent at once: what waits is within the credit."""
        left = self._credit.bytes_left - self._size
        return len(self._values) < self._credit.items_left and left > 0 and self._is_small

    @property
    def _is_small(self) -> bool:
        """Whether what waits is within a bound of our own, whatever the reader grants."""
        return len(self._values) < MOST_WAITING.items and self._size < MOST_WAITING.size

    def _may_go(self, taken: int, size: int, max_bytes: int) -> bool:
        following = size + len(self._values[0])
        if not taken:
            return self._credit.allows(following)
        is_granted = taken < self._credit.items_left and following <= self._credit.bytes_left
        return is_granted and following + taken * ITEM_OVERHEAD <= max_bytes


class Inbox(AsyncIterator[T_co]):
    """Values of one stream that have arrived, to be iterated over.

    Args:
        read: Makes the value of what has come; what it raises is raised to the reader.
        on_read: Called with the size of each that has been read, in bytes.
        account: Where the bytes that have not been read are counted.
    """

    def __init__(
        self, read: Callable[[Encoded], T_co], on_read: Callable[[int], None], account: Account
    ) -> None:
        self._read = read
        self._on_read = on_read
        self._account = account
        self._values: deque[Encoded] = deque()
        self._arrived = trio.Event()
        self._error: Exception | None = None
        self._has_ended = False
        self._is_closed = False
        self.failure: Exception | None = None
        """The error that it ended with, once its reader was told."""

    def push(self, values: Sequence[Encoded]) -> None:
        """Add values that have arrived. Never blocks: credit has made room for them."""
        if not self._is_closed:
            self._values.extend(values)
            self._account.hold(sum(map(len, values)))
            self._arrived.set()

    def end(self, error: Exception | None = None) -> None:
        """Add the end: nothing follows, or this error does."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._arrived.set()

    def close(self) -> None:
        """Drop what has not been read; whoever reads gets `trio.ClosedResourceError`."""
        self._is_closed = True
        self._account.release(sum(map(len, self._values)))
        self._values.clear()
        self._arrived.set()

    async def __anext__(self) -> T_co:
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._values or self._has_ended or self._is_closed):
            if self._arrived.is_set():  # else others wait for it already
                self._arrived = trio.Event()
            await self._arrived.wait()
        if self._values:
            value = self._values.popleft()
            self._account.release(len(value))
            self._on_read(len(value))
            return self._read(value)
        if self._is_closed:
            raise trio.ClosedResourceError("the stream was left")
        if self._error is not None:
            self.failure = self._error
            raise self._error
        raise StopAsyncIteration
