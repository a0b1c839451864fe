"""The local ends of a stream: an outbox that its producer fills, an inbox that its reader empties.

Theory of operation. Each end owns its half of the stream's credit. The reader grants as much as it
has room for, and the producer waits until its value may go, so credit bounds what waits at both
ends. A reader may grant without end, so an outbox has a bound of its own as well. An outbox is
also a queue of the lanes: the writer asks it for its next message, and all that belongs to the
stream leaves through it, the start before all values and the end after them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

import trio

from farcall._connection.lanes import Lanes
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, ReceiveCredit, SendCredit, Window
from farcall._protocol.messages import ITEM_OVERHEAD
from farcall._quota import MemoryAccount

T_co = TypeVar("T_co", covariant=True)

MOST_WAITING: Final = Window(256, DEFAULT_WINDOW.size)
"""What keeps a writer busy; more of it only grows while the transport takes nothing."""

ITEM_COST: Final = 64
"""Bytes that a small value which waits costs beside its text."""

ITEMS_BYTES: Final = 32 * 1024
"""Values in one message, in bytes: what a call may have to wait for after a stream that floods."""


class Outbox:
    """What one stream has to send.

    Args:
        credit: How much the reader takes.
        write: Makes the message that carries some values, and counts them as sent.
        room: The bytes of values that one message to this peer can hold; see `max_items_size`.
        lanes: Where the writer asks for messages.
        account: Where the values that wait are counted.
    """

    def __init__(
        self,
        credit: SendCredit,
        write: Callable[[Sequence[bytes]], bytes],
        room: int,
        lanes: Lanes,
        account: MemoryAccount,
    ) -> None:
        self.room = room
        """No larger value may be put."""
        self._credit = credit
        self._write = write
        self._lanes = lanes
        self._account = account
        self._first: bytes | None = None
        self._make_last: Callable[[], bytes | None] | None = None
        self._values: deque[bytes] = deque()
        self._size = 0
        self._writable = trio.Event()
        self._ended = trio.Event()
        self.is_held = False
        """Whether nothing may leave yet."""
        self.is_closed = False
        """Whether no more values are taken."""
        self.has_dropped = False
        """Whether values were there that will not be sent."""

    # The producer

    def begin(self, message: bytes) -> None:
        """Send a message ahead of all values."""
        self._first = message
        self.wake()

    async def put(self, value: bytes) -> None:
        """Add a value, and wait until the reader has room for another one, or will have none.

        Once closed it drops the value. Cancelled while it waits, it has added it all the same.
        """
        # A producer need not wait for anything else; only this can end one that is cancelled.
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.is_closed:
            self.has_dropped = True
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        size = len(value)
        self._values.append(value)
        self._size += size
        self._account.charge(size + ITEM_COST)
        self._lanes.put_stream(self)
        while not self._may_put() and not self.is_closed:
            self._writable = trio.Event()
            await self._writable.wait()

    def end(self, make: Callable[[], bytes | None]) -> None:
        """Send a message after the values that wait; it is made when it is its turn."""
        self._make_last = make
        self.wake()

    async def wait_ended(self) -> None:
        """Wait until the writer has taken the last message."""
        await self._ended.wait()

    def close(self) -> None:
        """Drop the values that wait, and let the producer go; the end may still leave."""
        self.is_closed = True
        if self._values:
            self.has_dropped = True
            self._account.release(self._size + len(self._values) * ITEM_COST)
            self._values.clear()
            self._size = 0
        self._writable.set()

    def _may_put(self) -> bool:
        """Whether another value could be sent at once: what waits is within the credit."""
        count, credit = len(self._values), self._credit
        return (
            count < credit.granted_items - credit.sent_items
            and self._size < credit.granted_bytes - credit.sent_bytes
            and count < MOST_WAITING.items
            and self._size < MOST_WAITING.size
        )

    # The reader's credit, and the writer

    def on_credit(self) -> None:
        """Go on: the reader has room for more."""
        if self._may_put():
            self._writable.set()
        self.wake()

    def wake(self) -> None:
        """Have the writer ask."""
        self._lanes.put_stream(self)

    @property
    def ahead(self) -> int:
        """None: what a generator gives has an order of its own, and its response is in it."""
        return 0

    def pop(self) -> bytes | None:
        """Give the next message; None when nothing can leave now."""
        if self.is_held:
            return None
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._values:
            values = self._take(min(ITEMS_BYTES, self.room))
            return self._write(values) if values else None
        if self._make_last is None:
            return None
        make, self._make_last = self._make_last, None
        self._ended.set()
        return make()

    def _take(self, max_bytes: int) -> list[bytes]:
        """Take the values that may be sent now, in one message.

        Args:
            max_bytes: How large several values may be together, each with its `ITEM_OVERHEAD`.
        """
        waiting, credit = self._values, self._credit
        if not credit.allows(len(waiting[0])):
            return []
        was_full = len(waiting) >= MOST_WAITING.items or self._size >= MOST_WAITING.size
        taken = [waiting.popleft()]
        size = len(taken[0])
        most = min(credit.items_left, len(waiting) + 1)
        bytes_left = credit.bytes_left
        while len(taken) < most:
            following = size + len(waiting[0])
            if following > bytes_left or following + len(taken) * ITEM_OVERHEAD > max_bytes:
                break
            taken.append(waiting.popleft())
            size = following
        self._size -= size
        self._account.release(size + len(taken) * ITEM_COST)
        if was_full:
            self._writable.set()
        return taken


class Inbox(AsyncIterator[T_co]):
    """Values of one stream that have arrived, to be iterated over.

    Args:
        read: Makes the value of what has come; what it raises is raised to the reader.
        account: Where the bytes that have not been read are counted.
        credit: How much the sender may send; None where all values come at once.
    """

    def __init__(
        self,
        read: Callable[[Encoded], T_co],
        account: MemoryAccount,
        credit: ReceiveCredit | None = None,
    ) -> None:
        self._read = read
        self._account = account
        self._credit = credit
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
            self._account.charge(sum(map(len, values)))
            self._arrived.set()

    def end(self, error: Exception | None = None) -> None:
        """Add the end: nothing follows, or this error does."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._arrived.set()

    def close(self) -> None:
        """Drop what has not been read; a reader gets `trio.ClosedResourceError`."""
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
            size = len(value)
            self._account.release(size)
            # The sender of a stream that has ended needs no credit, and knows the id no more.
            if self._credit is not None and not self._has_ended:
                self._credit.use(size)
            return self._read(value)
        if self._is_closed:
            raise trio.ClosedResourceError("the stream was left")
        if self._error is not None:
            self.failure = self._error
            raise self._error
        raise StopAsyncIteration
