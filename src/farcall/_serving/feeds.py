"""What one subscription has to send: its values wait in a buffer, from which the writer takes them.

The buffer alone decides which values a slow peer loses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from farcall._connection.link import Link
from farcall._connection.responses import Request, cancelled
from farcall._connection.streams import ITEMS_BYTES
from farcall._protocol.messages import ITEM_OVERHEAD, Error, Owner, event, max_items_size
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.intercepted import InterceptedSubscription
from farcall._signals import Buffer, BufferPool, OnLag, SignalState
from farcall._signals.audience import Membership
from farcall.errors import CloseCode, EncodeError, ErrorCode

AROUND: Final = -max_items_size(0, b"", cursor="")
"""Bytes of a message of items beside its values, its id and its cursor."""


class SignalFeed(Owner):
    """The queue of one subscription of a farcall peer: started, items within credit, end.

    Args:
        link: Of the subscriber.
        call: The stream call.
        source: The signal.
        membership: The addresses of the subscriber.
        pool: The memory of all subscriptions of the link.
        on_lag: The subscriber's choice for when it is too slow.
        on_end: Called when the subscription has ended before its link.
        on_sent: Called when the writer has taken the last message.
    """

    def __init__(
        self,
        link: Link,
        call: Request,
        source: SignalEndpoint,
        membership: Membership,
        pool: BufferPool,
        *,
        on_lag: OnLag,
        on_end: Callable[[Request], object],
        on_sent: Callable[[], object],
    ) -> None:
        self._link = link
        self._call = call
        self.source = source
        self.key: bytes | None = None
        """Filters its values; counted in the pool until the subscription has ended."""
        self._membership = membership
        # At once, for more credit may come before there is a value to send.
        self._credit = call.send_credit
        self._pool = pool
        self._on_end = on_end
        self._on_sent = on_sent
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._detach: Callable[[], None] = _nothing
        self.intercepted: InterceptedSubscription | None = None
        """The interceptors around it, which end before it does."""
        self._wake = partial(link.lanes.put_stream, self)
        self.buffer = Buffer(on_lag=on_lag, wake=self._wake, pool=pool)

    def filter_by(self, key: bytes | None) -> None:
        self.key = key
        self._pool.charge_key(len(key or b""))

    def attach(self, since: str | None) -> None:
        """Begin: the first message has the cursor after which values come."""
        cursor = self.source.state.cursor
        resumed = since == cursor
        missed = 0 if since is None or resumed else None
        value = {"cursor": cursor, "resumed": resumed, "missed": missed}
        self._first = self._call.start_message(msgspec.json.encode(value))
        self._detach = self.source.state.attach(self.buffer, self.key, self._membership)
        if self._link.lanes.is_closed:  # the retained values were over a limit of the process
            self.detach()
        self._wake()

    def cancel(self, reason: str) -> None:
        """Drop the values that wait, and end the call as cancelled."""
        self.detach()
        if self.intercepted is None:
            self.answer(cancelled(reason))
        else:
            self.intercepted.cancel(reason)

    def end(self, error: Error) -> None:
        """Drop the values that wait, and end the call by an error."""
        self.detach()
        if self.intercepted is None:
            self.answer(error)
        else:
            self.intercepted.fail(error)

    def answer(self, error: Error) -> None:
        """End the call, unless its link has ended."""
        if self._link.is_closed:
            return
        self.detach()
        self._on_end(self._call)
        self._pool.release_key(len(self.key or b""))
        self.key = None
        self._last = self._call.end_message(error)
        self._wake()

    def detach(self) -> None:
        self._detach()
        self.buffer.close()

    def withdraw(self) -> None:
        """Drop values that wait for addresses which the peer no longer has."""
        self.buffer.discard(lambda entry: not self._membership.reaches(entry.to))

    @property
    def has_more(self) -> bool:
        """Whether anything waits to be sent."""
        return self.buffer.is_ready or self._first is not None or self._last is not None

    @property
    def ahead(self) -> int:
        """How many messages go before a response: at most the values emitted before it."""
        return len(self.buffer)

    def pop(self) -> bytes | None:
        """Give the next message of this stream."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._last is not None:
            last, self._last = self._last, None
            self._on_sent()
            return last
        return self._pop_items()

    def _pop_items(self) -> bytes | None:
        credit, buffer = self._credit, self.buffer
        waiting = len(buffer)
        if not waiting:
            return None
        # Less what stands around the values; no value that waits has a longer cursor.
        cursor = self.source.state.cursor
        room = self._link.protocol.message_limit - len(self._call.id) - len(cursor) - AROUND
        size = buffer.next_size
        if size > room:
            self.end(Error.of(ErrorCode.REPLY_TOO_LARGE, self._call.excess(0)))
            return self.pop()
        if not credit.allows(size):
            return None
        most = min(credit.items_left, waiting)
        if most > 1:
            # The first value is allowed, even where it is larger than the credit.
            room -= (most - 1) * ITEM_OVERHEAD
            size = max(size, min(credit.bytes_left, room, ITEMS_BYTES))
        batch = buffer.take(most, size)
        values = [entry.encoded for entry in batch.entries]
        cursor = batch.entries[-1].cursor
        return self._call.items_message(values, cursor, batch.missed)

    def on_credit(self) -> None:
        if self.buffer.is_ready:
            self._wake()


class EventFeed:
    """The queue of one event for a plain peer; if it misses a value its link ends."""

    def __init__(
        self,
        link: Link,
        name: str,
        state: SignalState[Any],
        membership: Membership,
        pool: BufferPool,
    ) -> None:
        self._link = link
        self._name = name
        self._membership = membership
        self.buffer = Buffer(on_lag="raise", wake=self._wake, pool=pool)
        # `attach` may detach it, because the retained values are over a limit.
        self.detach: Callable[[], None] = _nothing
        self.detach = state.attach(self.buffer, None, membership)

    @property
    def has_more(self) -> bool:
        """As for a `SignalFeed`, and so is `ahead`."""
        return self.buffer.is_ready

    @property
    def ahead(self) -> int:
        return len(self.buffer)

    def pop(self) -> bytes | None:
        """Give the next event."""
        entries = self.buffer.take(1, self.buffer.next_size).entries
        if not entries:
            return None
        text = event(self._name, entries[0].encoded)
        try:
            self._link.protocol.check_size(text)
        except EncodeError as error:
            self._hang_up(CloseCode.INTERNAL, f"an event of {self._name} cannot be sent: {error}")
            return None
        return text

    def withdraw(self) -> None:
        """Drop values that wait for addresses which the peer no longer has."""
        self.buffer.discard(lambda entry: not self._membership.reaches(entry.to))

    def _hang_up(self, code: CloseCode, problem: str) -> None:
        self.detach()
        self._link.hang_up(code, problem)

    def _wake(self) -> None:
        if self.buffer.missed:
            limit = "subscription_bytes" if self.buffer.is_crowded else "subscription buffer"
            problem = f"events of {self._name} were not read (the limit {limit})"
            self._hang_up(CloseCode.SLOW_CONSUMER, problem)
        else:
            self._link.lanes.put_stream(self)


def _nothing() -> None:
    """Detach a feed that is not attached."""
