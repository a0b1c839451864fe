"""The send queue: requests and responses that wait for the writer, in order and within limits.

Theory of operation. A task waits until the queue is writable before it puts a message. The reader
cannot wait, for it must go on to read cancels and credit: what it answers by itself is put into a
full queue as well. A peer that provokes more such responses than there is room for, and reads none,
is cut off.

A message is its text, or an object that has a text and decides what is sent when the writer takes
it: by then a call may have run out of time, or been withdrawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import trio
from msgspec import Struct

from farcall._limits import Limits
from farcall._quota import MemoryAccount

MESSAGE_COST: Final = 384
"""Bytes that a waiting message costs besides its text: a few small objects."""


class Waiting(Protocol):
    """A message that decides what is sent when the writer takes it."""

    @property
    def text(self) -> bytes:
        """What it holds in memory while it waits."""
        ...

    def take(self, now: float, /) -> bytes:
        """Return what is to be sent; empty for nothing."""
        ...


Message: TypeAlias = bytes | Waiting


class Promise(Struct, eq=False):
    """A response that calls a function when the writer takes it."""

    text: bytes
    _on_taken: Callable[[], object]

    def take(self, _now: float) -> bytes:
        self._on_taken()
        return self.text


class SendQueue:
    """The queue of one link.

    Args:
        limits: How much may wait.
        account: Charged with what waits.
    """

    def __init__(self, limits: Limits, account: MemoryAccount) -> None:
        self._limits = limits
        self._account = account
        # A deque without entries takes 760 bytes, so an idle link has none.
        self._entries: deque[Message] | tuple[()] = ()
        self._waiting: trio.lowlevel.ParkingLot | None = None
        self._is_closed = False
        self._taken = 0
        self.size = 0
        """Bytes of the texts that wait."""
        # An attribute, for every call reads it.
        self.is_writable = True
        """Whether a task may put a message; that may be larger than the room that is left."""
        self.on_writable: Callable[[], object] = lambda: None
        """Called when the queue is writable again, before the tasks that wait for it."""

    def __len__(self) -> int:
        return len(self._entries)

    def excess(self, spare: int) -> str | None:
        """Return the limit that the queue exceeds, if any.

        Args:
            spare: Bytes of one message, which may be larger than the room that was left.
        """
        if len(self._entries) > self._limits.queued_messages:
            return "queued_messages"
        return "queued_bytes" if self.size > self._limits.queued_bytes + spare else None

    async def wait_writable(self) -> None:
        """Wait until there is room; it is there until the next checkpoint of the task."""
        while not self.is_writable:
            self._waiting = self._waiting or trio.lowlevel.ParkingLot()
            await self._waiting.park()

    def put(self, message: Message) -> None:
        if self._is_closed:
            return
        size = len(message) if isinstance(message, bytes) else len(message.text)
        if not self._entries:
            self._entries = deque()
        self._entries.append(message)
        self.size += size
        limits = self._limits
        if self.size >= limits.queued_bytes or len(self._entries) >= limits.queued_messages:
            self.is_writable = False
        self._account.charge(size + MESSAGE_COST)

    @property
    def first(self) -> Message | None:
        """The oldest message."""
        return self._entries[0] if self._entries else None

    def pop(self, now: float) -> bytes | None:
        """Take the oldest message; call `note_taken` after the last one.

        Returns:
            What is to be sent, which may be empty; None if there is no message.
        """
        if not self._entries:
            return None
        message = self._entries.popleft()
        if not self._entries:
            self._entries = ()
        size = len(message) if isinstance(message, bytes) else len(message.text)
        self.size -= size
        self._taken += size + MESSAGE_COST
        return message if isinstance(message, bytes) else message.take(now)

    def note_taken(self) -> None:
        """Release what has been taken, and wake the tasks that there is room for."""
        taken, self._taken = self._taken, 0
        self._account.release(taken)
        self._note_writable()

    def withdraw(self, message: Message) -> None:
        """Remove a message, unless `close` has dropped it."""
        entries = self._entries
        if not entries:
            return
        for index, entry in enumerate(entries):
            if entry is message:
                del entries[index]
                self._entries = entries or ()
                size = len(message) if isinstance(message, bytes) else len(message.text)
                self._note_gone(size, 1)
                return

    def close(self) -> None:
        """Drop what waits, and all that is put from now on."""
        self._is_closed = True
        count = len(self._entries)
        self._entries = ()
        self._note_gone(self.size, count)

    def _note_gone(self, size: int, count: int) -> None:
        self.size -= size
        self._account.release(size + count * MESSAGE_COST)
        self._note_writable()

    def _note_writable(self) -> None:
        if self.is_writable:
            return
        limits, count = self._limits, len(self._entries)
        is_small = self.size < limits.queued_bytes and count < limits.queued_messages
        if is_small or self._is_closed:
            self.is_writable = True
            self.on_writable()
            # As many tasks as messages have room; one that finds no bytes left waits again.
            if self._waiting is not None:
                self._waiting.unpark(count=max(1, limits.queued_messages - count))
