"""The queue of one stream: its start, its items within their credit, its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from farcall._budget import Account
from farcall._protocol.credit import SendCredit
from farcall._protocol.messages import Message
from farcall._streams import Outbox

ITEMS_BYTES: Final = 32 * 1024
"""Values in one message, in bytes: what a call may have to wait for behind a stream that floods."""


class ItemQueue:
    """What one stream has to send; a `StreamQueue` of the lanes.

    Args:
        credit: How much the reader takes.
        items: Makes the message that carries some values, and counts them as sent.
        put: Tells the lanes that there is something to take.
        room: The bytes of values that one message to this peer can hold; see `items_room`.
        account: Where the values that wait are counted.
    """

    def __init__(
        self,
        credit: SendCredit,
        items: Callable[[Sequence[bytes]], Message],
        put: Callable[[ItemQueue], None],
        room: int,
        account: Account,
    ) -> None:
        self.room = room
        """No larger value may be put into the outbox."""
        self._items = items
        self._put = put
        self._first: Message | None = None
        self._make_last: Callable[[], Message | None] | None = None
        self.outbox = Outbox(credit, self.wake, account)
        self.is_held = False
        """Whether nothing may leave yet."""
        self.ended = trio.Event()
        """Set when the writer has taken the last message."""

    def wake(self) -> None:
        """Have the writer ask."""
        self._put(self)

    def begin(self, message: Message) -> None:
        """Send a message ahead of all values."""
        self._first = message
        self.wake()

    def end(self, make: Callable[[], Message | None]) -> None:
        """Send a message behind the values that wait; it is made when it is its turn."""
        self._make_last = make
        self.wake()

    def pop(self) -> Message | None:
        """Give the next message; None when nothing can leave now."""
        if self.is_held:
            return None
        if self._first is not None:
            first, self._first = self._first, None
            return first
        values = self.outbox.take(min(ITEMS_BYTES, self.room))
        if values:
            return self._items(values)
        return self._pop_last()

    def _pop_last(self) -> Message | None:
        if not self.outbox.is_empty or self._make_last is None:
            return None
        make, self._make_last = self._make_last, None
        self.ended.set()
        return make()
