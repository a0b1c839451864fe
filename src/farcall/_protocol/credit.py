"""Flow control of one stream: how much may be on its way, in items and in bytes.

Theory of operation. The receiver opens a *window* with its request (``meta.credit``) and later
names totals since the start of the stream (``rpc.credit``): what it has consumed, plus the window.
Totals, unlike increments, can be merged and repeated without harm. The laws:

- The sender never has more than a window unconsumed, in either unit ...
- ... except for one item larger than what is left, which may pass when at least half of the
  window is free, in both units; otherwise a large item would wait for ever.
- The receiver grants when half of the window is consumed: early enough for a fast stream never to
  stop, and seldom enough that credit is not the larger part of what is said.

Nothing stalls: what is consumed and not granted is less than half of the window, so once all is
consumed more than half is free, and any item may pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Window:
    """How much of one stream may be unconsumed."""

    items: int = 32
    size: int = 256 * 1024
    """In bytes of encoded values."""

    def is_half_free(self, items_left: int, bytes_left: int) -> bool:
        """Tell whether an item of any size may pass."""
        return 2 * items_left >= self.items and 2 * bytes_left >= self.size

    def for_sender(self) -> SendCredit:
        """Open the window at the side that produces."""
        return SendCredit(self)

    def for_receiver(self) -> ReceiveCredit:
        """Open the window at the side that consumes."""
        return ReceiveCredit(self)


DEFAULT_WINDOW = Window()
"""32 items keep a fast reader busy over a round trip; 256 KiB are a few socket buffers."""


@attrs.define
class SendCredit:
    """The sender's half."""

    window: Window
    granted_items: int = attrs.field(init=False)
    granted_bytes: int = attrs.field(init=False)
    sent_items: int = 0
    sent_bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self.granted_items = self.window.items
        self.granted_bytes = self.window.size

    @property
    def items_left(self) -> int:
        """How many items may be sent now."""
        return self.granted_items - self.sent_items

    @property
    def bytes_left(self) -> int:
        """How many bytes may be sent now, apart from one large item."""
        return self.granted_bytes - self.sent_bytes

    def allows(self, size: int) -> bool:
        """Tell whether an item of `size` bytes may be sent now."""
        return self.items_left > 0 and (
            size <= self.bytes_left or self.window.is_half_free(self.items_left, self.bytes_left)
        )

    def spend(self, items: int, size: int) -> None:
        """Count what is being sent."""
        self.sent_items += items
        self.sent_bytes += size

    def grant(self, items: int, size: int) -> bool:
        """Take the receiver's totals, which may be old news, and tell whether they gave room."""
        gained = items > self.granted_items or size > self.granted_bytes
        self.granted_items = max(self.granted_items, items)
        self.granted_bytes = max(self.granted_bytes, size)
        return gained


@attrs.define
class ReceiveCredit:
    """The receiver's half, which also checks that the sender keeps the laws."""

    window: Window
    granted_items: int = attrs.field(init=False)
    granted_bytes: int = attrs.field(init=False)
    received_items: int = 0
    received_bytes: int = 0
    consumed_items: int = 0
    consumed_bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self.granted_items = self.window.items
        self.granted_bytes = self.window.size

    def receive(self, sizes: Sequence[int]) -> bool:
        """Count a batch of items that arrived, and tell whether the sender was allowed to.

        An empty batch, which brings nothing but a cursor, always is.
        """
        items_left = self.granted_items - self.received_items
        bytes_left = self.granted_bytes - self.received_bytes
        self.received_items += len(sizes)
        self.received_bytes += sum(sizes)
        may_pass = len(sizes) == 1 and self.window.is_half_free(items_left, bytes_left)
        fits = sum(sizes) <= bytes_left or not sizes
        return (fits or may_pass) and len(sizes) <= items_left

    def consume(self, size: int) -> None:
        """Count one item that the application has taken."""
        self.consumed_items += 1
        self.consumed_bytes += size

    def grant(self) -> tuple[int, int] | None:
        """Name the new totals when it is time to send them, else None."""
        items = self.consumed_items + self.window.items
        size = self.consumed_bytes + self.window.size
        gained_items, gained_bytes = items - self.granted_items, size - self.granted_bytes
        is_due = 2 * gained_items >= self.window.items or 2 * gained_bytes >= self.window.size
        if not is_due:
            return None
        self.granted_items, self.granted_bytes = items, size
        return items, size
