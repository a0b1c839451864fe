"""The bounded buffer of one subscription. It alone decides which values a slow subscriber loses.

Theory of operation. The emitter pushes and never waits. The reader takes: a local subscriber, or
the writer of a link as far as credit allows. When there is no room, the oldest value is dropped,
under every policy, and counted. The laws:

- Values come out in the order they went in, and each value that is lost is counted.
- The count stands before the oldest value left, so a subscriber learns of a loss at the point
  where it happened.
- The newest value is never dropped, however large it is. The exception: when the subscriptions of
  a connection hold too much together, its pool may drop the only value of a buffer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import attrs
from msgspec import Struct

from farcall._signals.audience import Address
from farcall._signals.pool import BufferPool
from farcall._usage.options import check_word, validator

OnLag: TypeAlias = Literal["raise", "drop_oldest", "latest"]
"""The policy for a slow subscriber: raise at the gap, only count, or keep the last value alone."""

MAX_ITEMS = 1024
"""At 100 values a second this covers ten seconds in which the reader is busy elsewhere."""

MAX_BYTES = 1024 * 1024
"""The memory of one subscription; eight such fill the budget of one connection."""

Missed: TypeAlias = int | None
"""The number of values lost; None if it is unknown."""


class Entry(Struct, eq=False):
    """One value on its way to the subscribers, encoded once for all of them."""

    encoded: bytes
    """The value as JSON."""
    value: Any = None
    """The object that was emitted, for subscribers in this process, who may share a frozen one."""
    key: bytes | None = None
    """The value's key as JSON, for signals that have one."""
    cursor: str = ""
    """The position of the value in its signal, as an opaque text."""
    to: frozenset[Address] | None = None
    """Its audience; None for all subscribers."""
    missed: Missed = 0
    """How many values the sender dropped right before this one (from ``rpc.items``)."""

    @property
    def size(self) -> int:
        """What it costs in buffers and credit: the bytes of the encoded value."""
        return len(self.encoded)


class Batch(Struct, frozen=True):
    """Consecutive values, and how many were lost before the first."""

    entries: Sequence[Entry] = ()
    missed: Missed = 0


def check_on_lag(on_lag: object) -> None:
    check_word("on_lag=", on_lag, get_args(OnLag))


# Validating on assignment would send every change of a counter through Python code.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Buffer:
    """The values that one subscriber has not taken yet, within bounds.

    Args:
        on_lag: The policy; ``latest`` keeps one value whatever `max_items` says.
        wake: Called after each change that concerns the reader; it must not block.
        max_items: How many values may wait.
        max_bytes: How many bytes of encoded values may wait; a larger value waits alone.
        pool: The pool of its connection; None for a subscriber in this process.
    """

    on_lag: OnLag = attrs.field(
        default="raise", kw_only=True, validator=validator(check_word, words=get_args(OnLag))
    )
    wake: Callable[[], object] = attrs.field(kw_only=True)
    max_items: int = attrs.field(default=MAX_ITEMS, kw_only=True)
    max_bytes: int = attrs.field(default=MAX_BYTES, kw_only=True)
    _pool: BufferPool | None = attrs.field(default=None, kw_only=True, alias="pool")
    size: int = attrs.field(default=0, init=False)
    """The bytes of all values that wait."""
    missed: Missed = attrs.field(default=0, init=False)
    """How many values were lost right before the next one."""
    is_crowded: bool = attrs.field(default=False, init=False)
    """Whether a value was dropped because the subscriptions of the connection hold too much."""
    is_ended: bool = attrs.field(default=False, init=False)
    error: Exception | None = attrs.field(default=None, init=False)
    """Why it ended; None for a regular end."""
    _entries: deque[Entry] = attrs.field(factory=deque[Entry], init=False)

    def __attrs_post_init__(self) -> None:
        if self.on_lag == "latest":
            self.max_items = 1
        if self._pool is not None:
            self._pool.join(self)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_ready(self) -> bool:
        return bool(self._entries)

    @property
    def next_size(self) -> int:
        """The bytes of the next value; 0 when there is none."""
        return len(self._entries[0].encoded) if self._entries else 0

    def push(self, entry: Entry, *, more: bool = False) -> None:
        """Add a value, dropping the oldest ones if there is no room; never blocks.

        Args:
            entry: The value.
            more: Whether another one follows at once, so that the reader is woken only then.
        """
        if self.is_ended:
            return
        entries, size = self._entries, len(entry.encoded)
        if not entries and entry.missed != 0:
            # Its pool may have dropped its last value, and counted it.
            self.missed = _sum(self.missed, entry.missed)
        entries.append(entry)
        self.size += size
        if len(entries) > self.max_items or self.size > self.max_bytes:
            while self._is_over():
                self._drop()
        if self._pool is not None:
            self._pool.charge(self, size)
        if not more:
            self.wake()

    def pop_oldest(self) -> Entry:
        """Take the oldest value; the caller has seen that `missed` is 0."""
        entry = self._entries.popleft()
        size = len(entry.encoded)
        self.size -= size
        if self._pool is not None:
            self._pool.release(size)
        if self._entries and self._entries[0].missed != 0:
            self.missed = _sum(self.missed, self._entries[0].missed)
        return entry

    def shed(self) -> None:
        """Drop and count the oldest value: the connection's buffers hold too much."""
        self.is_crowded = True
        self._drop()
        self.wake()

    def discard(self, is_unwanted: Callable[[Entry], bool]) -> None:
        """Remove values as if they had never been pushed: they do not count as missed."""
        unwanted = [entry for entry in self._entries if is_unwanted(entry)]
        if unwanted:
            self._entries = deque(entry for entry in self._entries if not is_unwanted(entry))
            self._release(sum(entry.size for entry in unwanted), len(unwanted))

    def take(self, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> Batch:
        """Take the oldest values that fit, up to the next gap.

        A value larger than `max_bytes` stays. If credit allows it to pass, the caller asks for one
        item of `next_size` bytes.
        """
        entries, size = self._entries, self.next_size
        if not entries or max_items <= 0 or size > max_bytes:
            return Batch()
        missed, self.missed = self.missed, 0
        taken = [entries.popleft()]
        while entries and len(taken) < max_items:
            following = entries[0]
            if following.missed != 0 or size + len(following.encoded) > max_bytes:
                break
            taken.append(entries.popleft())
            size += len(following.encoded)
        if entries:
            self.missed = entries[0].missed
        self._release(size, len(taken))
        return Batch(taken, missed)

    def take_missed(self) -> Missed:
        """Reset `missed`, and return what it was."""
        missed, self.missed = self.missed, 0
        return missed

    def end(self, error: Exception | None = None) -> None:
        """Ignore further values; those that wait can still be taken. Later calls have no effect."""
        if not self.is_ended:
            self.is_ended = True
            self.error = error
            self.wake()

    def close(self) -> None:
        """Drop what waits and ignore further values: the subscriber has left."""
        self.is_ended = True
        self.error = None
        count = len(self._entries)
        self._entries.clear()
        self._release(self.size, count)
        if self._pool is not None:
            self._pool.leave(self)
        self.missed = 0
        self.wake()

    def _is_over(self) -> bool:
        waiting = len(self._entries)
        return waiting > self.max_items or (self.size > self.max_bytes and waiting > 1)

    def _drop(self) -> None:
        self._pop()
        self.missed = _sum(self.missed, 1)

    def _release(self, size: int, count: int) -> None:
        self.size -= size
        if self._pool is not None:
            self._pool.release(size, count)

    def _pop(self) -> Entry:
        entry = self._entries.popleft()
        self._release(entry.size, 1)
        if self._entries:
            self.missed = _sum(self.missed, self._entries[0].missed)
        return entry


def _sum(first: Missed, second: Missed) -> Missed:
    return None if first is None or second is None else first + second
