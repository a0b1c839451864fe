"""The local ends of a stream: a producer fills its outbox, a reader empties its inbox.

Theory of operation. Each end has its half of the stream's credit. The reader grants as much as it
has room for, and the producer waits until its value may be sent, so credit bounds what waits at
both ends. A reader may grant without end, so an outbox has a bound of its own as well. An outbox is
also a queue of the lanes: the writer asks it for its next message, and all messages of the stream
leave through it, the start before the values and the end after them.
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
"""Enough to keep the writer busy; more would only wait while the peer reads slowly."""

ITEM_COST: Final = 64
"""Bytes that a waiting value costs besides its text."""

ITEMS_BYTES: Final = 32 * 1024
"""Bytes of the values in one message: a call may have to wait for one message of a flood."""


class Outbox:
    """The sending end of one stream.

    Args:
        credit: How much the reader takes.
        write: Makes a message of some values, and spends their credit.
        room: How many bytes of values a message to this peer can hold; see `max_items_size`.
        lanes: Through which the writer asks for messages.
        account: Charged with the values that wait.
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
        """No value may be larger."""
        self._credit = credit
        self._write = write
        self._lanes = lanes
        self._account = account
        self._first: bytes | None = None
        self._make_last: Callable[[], bytes | None] | None = None
        self._values: deque[bytes] = deque()
        self._size = 0
        self._producer = trio.lowlevel.ParkingLot()
        self._ended = trio.Event()
        self.is_held = False
        """Whether nothing may be sent yet."""
        self.is_closed = False
        """Whether it drops all further values."""
        self.has_dropped = False
        """Whether it has dropped values."""

    # Called by the producer

    def begin(self, message: bytes) -> None:
        """Send a message before all values."""
        self._first = message
        self.wake()

    def put(self, value: bytes) -> bool:
        """Add a value, and return whether another may follow before `wait_writable`.

        A closed outbox drops the value.
        """
        if self.is_closed:
            self.has_dropped = True
            return False
        values, size = self._values, len(value)
        values.append(value)
        self._size += size
        self._account.charge(size + ITEM_COST)  # which may end the link, and close the outbox
        if len(values) == 1:
            self._lanes.put_stream(self)
        return self._may_put() and not self.is_closed

    async def wait_writable(self) -> None:
        """Wait until another value may be put, or until the outbox is closed; always a checkpoint.

        A producer may have no other one at which it could be cancelled.
        """
        if self.is_closed:
            await trio.lowlevel.checkpoint()
        while not (self._may_put() or self.is_closed):
            await self._producer.park()

    def end(self, make: Callable[[], bytes | None]) -> None:
        """Send a message after the values that wait; it is made when the writer takes it."""
        self._make_last = make
        self.wake()

    async def wait_ended(self) -> None:
        """Wait until the writer has taken the last message."""
        await self._ended.wait()

    def close(self) -> None:
        """Drop the values that wait, and wake the producer; the end may still be sent."""
        self.is_closed = True
        if self._values:
            self.has_dropped = True
            self._account.release(self._size + len(self._values) * ITEM_COST)
            self._values.clear()
            self._size = 0
        self._producer.unpark_all()

    def _may_put(self) -> bool:
        """Whether the values that wait leave credit and room for another one."""
        count, credit = len(self._values), self._credit
        return (
            count < credit.granted_items - credit.sent_items
            and self._size < credit.granted_bytes - credit.sent_bytes
            and count < MOST_WAITING.items
            and self._size < MOST_WAITING.size
        )

    # Called by the protocol and the writer

    def on_credit(self) -> None:
        """Go on: the reader has granted more."""
        if self._may_put():
            self._producer.unpark_all()
        if self._values:
            self.wake()

    def wake(self) -> None:
        self._lanes.put_stream(self)

    @property
    def has_more(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._values) or self._first is not None or self._make_last is not None

    @property
    def ahead(self) -> int:
        """0: the response of a stream leaves through the same outbox."""
        return 0

    def pop(self) -> bytes | None:
        """Take the next message; None if nothing can be sent now."""
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
        """Take the values that may be sent now: one, or several of `max_bytes` together.

        Each counts with its `ITEM_OVERHEAD`.
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
            self._producer.unpark_all()
        return taken


class Inbox(AsyncIterator[T_co]):
    """The receiving end of one stream: an iterator over the values that come.

    Args:
        read: Decodes an item; what it raises is raised to the reader.
        account: Charged with the items that wait.
        credit: How much the sender may send; None if all items are here at once.
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
        self._readers = trio.lowlevel.ParkingLot()
        self._error: Exception | None = None
        self._has_ended = False
        self._is_closed = False
        self.failure: Exception | None = None
        """The error with which it ended, once it was raised to the reader."""

    def push(self, values: Sequence[Encoded]) -> None:
        """Add items that have come. Never blocks: credit bounds them."""
        if not self._is_closed:
            self._values.extend(values)
            self._account.charge(sum(map(len, values)) + len(values) * ITEM_COST)
            self._readers.unpark_all()

    def end(self, error: Exception | None = None) -> None:
        """End the stream after the items that wait, with an error or without."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._readers.unpark_all()

    def close(self) -> None:
        """Drop the items that wait; a reader gets `trio.ClosedResourceError`."""
        self._is_closed = True
        self._account.release(sum(map(len, self._values)) + len(self._values) * ITEM_COST)
        self._values.clear()
        self._readers.unpark_all()

    async def __anext__(self) -> T_co:
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._values or self._has_ended or self._is_closed):
            await self._readers.park()
        if self._values:
            value = self._values.popleft()
            size = len(value)
            self._account.release(size + ITEM_COST)
            # Once the stream has ended, its sender needs no credit and no longer knows the id.
            if self._credit is not None and not self._has_ended:
                self._credit.use(size)
            return self._read(value)
        if self._is_closed:
            raise trio.ClosedResourceError("the stream was left")
        if self._error is not None:
            self.failure = self._error
            raise self._error
        raise StopAsyncIteration
