"""Flow control of one stream: how much may be unconsumed, in items and in bytes.

Theory of operation. The receiver opens a *window* with its request (``meta.credit``) and later
names totals since the start of the stream (``rpc.credit``): what it has consumed, plus the window.
Totals, unlike increments, can be merged and repeated without harm. The laws:

- The sender never has more than a window unconsumed, in either unit ...
- ... except for one item larger than what is left, which may pass when nothing of its stream is
  in flight; otherwise a large item would wait for ever.
- The receiver grants when half of the window is consumed, so that a fast stream never stops,
  and when it has consumed all, so that a waiting large item can pass. The latter may be *late*: it
  waits for another message to leave, or a moment. Otherwise each value of a slow stream would cost
  a message of its own. Only an item larger than half of the window could be waiting for it.

A window of few items suits a stream of large ones. If it stops a stream of small ones, the receiver
lets it grow: totals may name more than the window of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
from msgspec import Struct

MOST_ITEMS: Final = 1024
"""To which a window grows: as many items as a subscription may have waiting in its server."""


class Window(Struct, frozen=True):
    """How much of one stream may be unconsumed at once."""

    items: int = 32
    size: int = 256 * 1024
    """In bytes of encoded values."""

    def for_sender(self) -> SendCredit:
        """Open the window on the sending side."""
        return SendCredit(self)

    def for_receiver(self, *, most_items: int = MOST_ITEMS) -> ReceiveCredit:
        """Open the window on the receiving side; it grows up to `most_items`."""
        return ReceiveCredit(self, most_items=most_items)


DEFAULT_WINDOW = Window()
"""32 items keep a fast reader busy over a round trip; 256 KiB are a few socket buffers."""


@attrs.define
class SendCredit:
    """How much the sender may still send."""

    window: Window
    granted_items: int = attrs.field(init=False)
    granted_bytes: int = attrs.field(init=False)
    sent_items: int = 0
    sent_bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self.granted_items = self.window.items
        self.granted_bytes = self.window.size

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the stream is in flight: the whole window is free again."""
        return (
            self.granted_items - self.sent_items >= self.window.items
            and self.granted_bytes - self.sent_bytes >= self.window.size
        )

    @property
    def items_left(self) -> int:
        """How many items may be sent now."""
        return self.granted_items - self.sent_items

    @property
    def bytes_left(self) -> int:
        """How many bytes may be sent now, apart from one large item while `is_idle`."""
        return self.granted_bytes - self.sent_bytes

    def allows(self, size: int) -> bool:
        """Tell whether an item of `size` bytes may be sent now."""
        if self.granted_items <= self.sent_items:
            return False
        return self.sent_bytes + size <= self.granted_bytes or self.is_idle

    def spend(self, items: int, size: int) -> None:
        """Count items as sent."""
        self.sent_items += items
        self.sent_bytes += size

    def grant(self, items: int, size: int) -> bool:
        """Take the receiver's totals, which may be out of date; tell whether they gave room."""
        gained = items > self.granted_items or size > self.granted_bytes
        self.granted_items = max(self.granted_items, items)
        self.granted_bytes = max(self.granted_bytes, size)
        return gained


def _send_nothing(_is_late: bool) -> None:
    """Until the link sets a function."""


@attrs.define
class ReceiveCredit:
    """How much the receiver has granted; checks that the sender keeps the laws."""

    window: Window
    on_due: Callable[[bool], object] = attrs.field(default=_send_nothing, eq=False, repr=False)
    """Called when new totals are due, with whether they may be late; has `grant` called then."""
    most_items: int = MOST_ITEMS
    """To which its window may grow."""
    items: int = attrs.field(init=False)
    """Of its window, as it is now."""
    granted_items: int = attrs.field(init=False)
    granted_bytes: int = attrs.field(init=False)
    received_items: int = 0
    received_bytes: int = 0
    consumed_items: int = 0
    consumed_bytes: int = 0
    _is_due: bool = attrs.field(default=False, init=False)
    """Whether new totals are to be sent at once."""
    _is_late: bool = attrs.field(default=False, init=False)
    """Whether they are to be sent, and may be late."""
    _has_large: bool = attrs.field(default=False, init=False)
    """Whether an item came that is so large that the next such one may wait for credit."""

    def __attrs_post_init__(self) -> None:
        self.items = self.granted_items = self.window.items
        self.granted_bytes = self.window.size

    def receive(self, sizes: Sequence[int]) -> bool:
        """Count the items of a message, and tell whether the sender was allowed to send them.

        A message without items, which brings only a cursor, always is. If one message fills the
        window of a reader that has nothing else, each side waits for the other: the window doubles.
        """
        was_empty = self.consumed_items == self.received_items
        was_idle = self.received_bytes + self.window.size <= self.granted_bytes
        is_single, total = len(sizes) == 1, sum(sizes)
        self.received_items += len(sizes)
        self.received_bytes += total
        if 2 * total > self.window.size:
            self._has_large = True
        fits = self.received_bytes <= self.granted_bytes
        may_pass = fits or not sizes or (is_single and was_idle)
        if was_empty and self.received_items == self.granted_items:
            self.items = min(2 * self.items, self.most_items)
        return may_pass and self.received_items <= self.granted_items

    def use(self, size: int) -> None:
        """Count one item as consumed, and tell `on_due` if new totals are due.

        They are due at half of a window, and when everything that came is consumed: the sender may
        hold an item larger than the rest of the window, which may pass once nothing is in flight.
        """
        self.consumed_items += 1
        self.consumed_bytes += size
        if self._is_due:
            return
        items = self.consumed_items + self.items - self.granted_items
        total = self.consumed_bytes + self.window.size - self.granted_bytes
        if 2 * items >= self.items or 2 * total >= self.window.size:
            self._is_due = True
            self.on_due(False)
        elif self.consumed_items == self.received_items and not self._is_late:
            self._is_due, self._is_late = self._has_large, not self._has_large
            self.on_due(self._is_late)

    def grant(self) -> tuple[int, int]:
        """Return the totals to send now, of items and of bytes; more are due later."""
        self._is_due = self._is_late = False
        self.granted_items = self.consumed_items + self.items
        self.granted_bytes = self.consumed_bytes + self.window.size
        return self.granted_items, self.granted_bytes
