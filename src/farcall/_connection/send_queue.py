"""Requests and responses that wait for the writer: in order, and not without end.

Theory of operation. Tasks that have something to say wait for room first. Only the reader cannot:
it has to go on, for cancels and credit, so what it answers by itself goes in whatever waits here
already. A peer that has it answer more than there is room for, and reads nothing, is cut off.

A message that waits is its text, or an object that has a text and decides at the moment when the
writer takes it what leaves: a call may have run out of time by then, or been withdrawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import attrs
import trio

from farcall._limits import Limits
from farcall._quota import MemoryAccount

MESSAGE_COST: Final = 384
"""Bytes that a message in the queue costs beside its text: a few small objects."""


class Waiting(Protocol):
    """A message that is told when the writer takes it."""

    @property
    def text(self) -> bytes:
        """What is kept of it meanwhile."""
        ...

    def take(self, now: float, /) -> bytes:
        """Give what is to be sent; empty for nothing."""
        ...


Message: TypeAlias = bytes | Waiting


@attrs.define(eq=False)
class Promise:
    """A response that begins something when the writer takes it."""

    text: bytes
    _on_taken: Callable[[], object]

    def take(self, _now: float) -> bytes:
        self._on_taken()
        return self.text


class SendQueue:
    """The queue of one link.

    Args:
        limits: Say how much may wait.
        account: Where the bytes that wait are counted.
    """

    def __init__(self, limits: Limits, account: MemoryAccount) -> None:
        self._limits = limits
        self._account = account
        self._entries: deque[Message] = deque()
        self._waiting = trio.lowlevel.ParkingLot()
        self._is_closed = False
        self._taken = 0
        self.size = 0
        """In bytes, of the texts that wait."""
        # An attribute, for it is asked at each call.
        self.is_writable = True
        """Whether a task may put something in; what it puts may be larger than what is left."""
        self.on_writable: Callable[[], object] = lambda: None
        """Called when there is room again, before the tasks that wait for it."""

    def __len__(self) -> int:
        return len(self._entries)

    def excess(self, spare: int) -> str | None:
        """Name the limit that the queue is over; None while it is not.

        Args:
            spare: The size of the one message that may be larger than what was left, in bytes.
        """
        if len(self._entries) > self._limits.queued_messages:
            return "queued_messages"
        return "queued_bytes" if self.size > self._limits.queued_bytes + spare else None

    async def wait_writable(self) -> None:
        """Wait until there is room; what follows without a checkpoint may use it."""
        while not self.is_writable:
            await self._waiting.park()

    def put(self, message: Message) -> None:
        """Queue a message."""
        if self._is_closed:
            return
        size = len(message) if isinstance(message, bytes) else len(message.text)
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
        """Take the oldest message; `note_taken` is due after the last one.

        Returns:
            What is to be sent, empty for nothing of it; None if there is no message.
        """
        if not self._entries:
            return None
        message = self._entries.popleft()
        size = len(message) if isinstance(message, bytes) else len(message.text)
        self.size -= size
        self._taken += size + MESSAGE_COST
        return message if isinstance(message, bytes) else message.take(now)

    def note_taken(self) -> None:
        """Count what has been taken, and let those go on who wait for room."""
        taken, self._taken = self._taken, 0
        self._account.release(taken)
        self._note_writable()

    def withdraw(self, message: Message) -> None:
        """Take a message out again; one that is not there any more was dropped by `close`."""
        for place, entry in enumerate(self._entries):
            if entry is message:
                del self._entries[place]
                size = len(message) if isinstance(message, bytes) else len(message.text)
                self._note_gone(size, 1)
                return

    def close(self) -> None:
        """Drop what waits, and what is put from now on: nothing more will be sent."""
        self._is_closed = True
        count = len(self._entries)
        self._entries.clear()
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
            # As many as there are places; a task that finds the bytes used up waits again.
            self._waiting.unpark(count=max(1, limits.queued_messages - count))
