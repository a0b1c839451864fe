"""What one subscription has to send: its values wait in a buffer, and the writer pulls from it.

What a slow peer loses is decided there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from farcall._connection.link import Link
from farcall._connection.responses import Request, cancelled
from farcall._protocol.messages import ITEM_OVERHEAD, Error, Owner, event, max_items_size
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.intercepted import InterceptedSubscription
from farcall._signals import Buffer, BufferPool, Entry, OnLag, SignalState
from farcall._signals.audience import Membership
from farcall.errors import CloseCode, EncodeError, ErrorCode

AROUND: Final = -max_items_size(0, b"", cursor="")
"""Bytes of a message of items beside its values, its id and its cursor."""


class SignalFeed(Owner):
    """The queue of one subscription of a farcall peer: started, items within credit, end.

    Args:
        link: Where it goes.
        call: The stream call.
        source: The signal.
        membership: By which addresses the subscriber is reached.
        pool: What all subscriptions of the link hold.
        on_lag: What the subscriber wants when it is too slow.
        forget: Called when the subscription has ended, for whichever reason but that of the link.
        note_left: Called when the writer has taken its end as well, so that nothing of it waits.
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
        forget: Callable[[Request], object],
        note_left: Callable[[], object],
    ) -> None:
        self._link = link
        self._call = call
        self.source = source
        self.key: bytes | None = None
        """What it is filtered by; counted until the subscription has ended."""
        self._membership = membership
        # Now, and not when there is something to send: the subscriber may say more before that.
        self._credit = call.send_credit
        self._pool = pool
        self._forget = forget
        self._note_left = note_left
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._detach: Callable[[], None] = _nothing
        self.intercepted: InterceptedSubscription | None = None
        """The interceptors around it, which have to end before it does."""
        self.buffer = Buffer(on_lag=on_lag, wake=self._wake, pool=pool)

    def filter_by(self, key: bytes | None) -> None:
        """Bring the values with this key alone."""
        self.key = key
        self._pool.charge_key(len(key or b""))

    def attach(self, since: str | None) -> None:
        """Begin: the answer carries the place in the signal from which on values come."""
        cursor = self.source.state.cursor
        resumed = since == cursor
        missed = 0 if since is None or resumed else None
        value = {"cursor": cursor, "resumed": resumed, "missed": missed}
        self._first = self._call.start_message(msgspec.json.encode(value))
        self._detach = self.source.state.attach(self.buffer, self.key, self._membership)
        if self._link.lanes.is_closed:  # what is retained was too much for the process
            self.detach()
        self._wake()

    def cancel(self, reason: str) -> None:
        """Drop what waits, and end the call because its subscriber leaves."""
        self.detach()
        if self.intercepted is None:
            self.answer(cancelled(reason))
        else:
            self.intercepted.cancel(reason)

    def end(self, error: Error) -> None:
        """Drop what waits, and end the call by an error after what has been taken."""
        self.detach()
        if self.intercepted is None:
            self.answer(error)
        else:
            self.intercepted.fail(error)

    def answer(self, error: Error) -> None:
        """Tell the end, to a peer that is still there."""
        if self._link.is_closed:
            return
        self.detach()
        self._forget(self._call)
        self._forget_key()
        self._last = self._call.end_message(error)
        self._wake()

    def detach(self) -> None:
        """Leave the signal."""
        self._detach()
        self.buffer.close()

    def withdraw(self) -> None:
        """Drop values that were for who the peer is no more."""
        self.buffer.discard(lambda entry: not self._membership.reaches(entry.to))

    def _forget_key(self) -> None:
        self._pool.release_key(len(self.key or b""))
        self.key = None

    @property
    def ahead(self) -> int:
        """How many messages, at most, leave before a response: a value has been emitted before."""
        return len(self.buffer)

    def pop(self) -> bytes | None:
        """Give the next message of this stream."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._last is not None:
            last, self._last = self._last, None
            self._note_left()
            return last
        return self._pop_items()

    def _pop_items(self) -> bytes | None:
        credit, buffer = self._credit, self.buffer
        if not buffer.is_ready:
            return None
        # Room for what stands around the values; nothing that waits has a longer cursor.
        cursor = self.source.state.cursor
        room = self._call.message_limit - len(self._call.id) - len(cursor) - AROUND
        size = buffer.next_size
        if size > room:
            return self._refuse_value()
        if not credit.allows(size):
            return None
        if len(buffer) > 1:
            # The first value is allowed, so it may pass even where it is larger than the credit.
            more = min(credit.items_left, len(buffer)) - 1
            size = max(size, min(credit.bytes_left, room - more * ITEM_OVERHEAD))
        batch = buffer.take(credit.items_left, size)
        values = [entry.encoded for entry in batch.entries]
        cursor = batch.entries[-1].cursor
        return self._call.items_message(values, cursor, batch.missed)

    def _refuse_value(self) -> bytes | None:
        self.end(Error.of(ErrorCode.REPLY_TOO_LARGE, self._call.excess(0)))
        return self.pop()

    def _wake(self) -> None:
        self._call.put_stream(self)

    on_credit = _wake


class EventFeed:
    """The queue of one event for a plain peer, which cannot be told that it missed something."""

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
        self.detach: Callable[[], None] = _nothing  # what is retained may be too much at once
        self.detach = state.attach(self.buffer, None, membership)

    @property
    def ahead(self) -> int:
        """How many messages, at most, leave before a response; as for a `SignalFeed`."""
        return len(self.buffer)

    def pop(self) -> bytes | None:
        """Give the next event."""
        entries = self.buffer.take(1, self.buffer.next_size).entries
        return self._event(entries[0]) if entries else None

    def _event(self, entry: Entry) -> bytes | None:
        text = event(self._name, entry.encoded)
        try:
            self._link.protocol.check_size(text)
        except EncodeError as error:
            self._hang_up(CloseCode.INTERNAL, f"an event of {self._name} cannot be sent: {error}")
            return None
        return text

    def withdraw(self) -> None:
        """Drop values that were for who the peer is no more."""
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
    """Detach nothing: the subscription has not begun."""
