"""`Subscription`: the values of a `Buffer`, as an async iterator."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final, Generic, TypeVar

import trio

from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Buffer, Entry, OnLag
from farcall._usage.live import Live
from farcall.errors import SignalGap, SignalLagged

T = TypeVar("T")

TURN_SECONDS: Final = 0.001
"""For values that wait already. A checkpoint for each would cost more than reading it."""


class Subscription(Live, Generic[T]):
    """Iterate over the values of a signal, as they come.

    Opened by ``async with service.signal.subscribe() as values``. When that block ends, iteration
    stops at once, and values that still wait are dropped. Several tasks may iterate over one
    subscription; each value goes to one of them.
    """

    def __init__(
        self, buffer: Buffer, read: Callable[[Entry], T], changed: trio.lowlevel.ParkingLot
    ) -> None:
        self._buffer = buffer
        self._read = read
        self._changed = changed
        self._missed = 0
        self._turn_ends = 0.0
        self._failure: Exception | None = None

    def __repr__(self) -> str:
        return f"<Subscription: {len(self._buffer)} waiting, {self._missed} missed>"

    @property
    def missed(self) -> int:
        """How many values were dropped so far; a loss of unknown size counts as one."""
        return self._missed

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T:
        """Wait for the next value.

        Returns:
            The value, as it was when it was emitted; local subscribers share a frozen one.

        Raises:
            SignalLagged: With ``on_lag="raise"``: the subscriber was too slow, and values are
                missing here. The subscription goes on with the next value.
            SignalGap: The same, if the number of missing values is unknown.
            StopAsyncIteration: The subscription has ended.

        Cancellation:
            Nothing is lost: a value is taken only by a call that returns it.
        """
        buffer = self._buffer
        if perf_counter() < self._turn_ends:
            await trio.lowlevel.checkpoint_if_cancelled()
        elif buffer._entries or buffer.is_ended:
            await trio.lowlevel.checkpoint()
            self._turn_ends = perf_counter() + TURN_SECONDS
        while not (buffer._entries or buffer.is_ended):
            await self._changed.park()
            self._turn_ends = perf_counter() + TURN_SECONDS
        if buffer.missed == 0 and buffer._entries:
            return self._read(buffer.pop_oldest())
        missed = buffer.take_missed()
        self._missed += 1 if missed is None else missed
        if buffer.on_lag == "raise" and missed != 0:
            raise SignalGap(None) if missed is None else SignalLagged(missed)
        if not buffer.is_ready:
            self._failure = buffer.error
            raise self._failure or StopAsyncIteration
        (entry,) = buffer.take(1, buffer.next_size).entries
        return self._read(entry)


def failure_of(subscription: Subscription[T]) -> Exception | None:
    """Return the error with which a subscription has ended, once its reader has got it."""
    return subscription._failure


def open_subscription(
    read: Callable[[Entry], T],
    *,
    on_lag: OnLag = "raise",
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
) -> tuple[Buffer, Subscription[T]]:
    """Make both ends of a subscription: the buffer to push into, and the iterator.

    Args:
        read: Turns an entry into the value, in the task that iterates, when it takes the entry.
            An exception of it comes out of the iteration, which can then go on.
        on_lag: The policy for a slow subscriber.
        max_items: How many values may wait.
        max_bytes: How many bytes of encoded values may wait.
    """
    changed = trio.lowlevel.ParkingLot()
    buffer = Buffer(
        on_lag=on_lag, wake=changed.unpark_all, max_items=max_items, max_bytes=max_bytes
    )
    return buffer, Subscription(buffer, read, changed)
