"""Requests and responses that wait for the writer: in order, and not without end.

Theory of operation. Tasks that have something to say wait for room first. Only the reader cannot:
it has to go on, for cancels and credit, so what it answers by itself goes in whatever waits here
already. A peer that has it answer more than there is room for, and reads nothing, is cut off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from farcall._budget import Account
from farcall._limits import Limits
from farcall._protocol.messages import (
    BatchReply,
    ErrorResponse,
    Message,
    Request,
    Response,
    Started,
)

MESSAGE_COST: Final = 384
"""Bytes that a message in the queue costs beside its text: a few small objects."""


class _Entry(NamedTuple):
    message: Message
    size: int
    on_taken: Callable[[], None] | None


class SendQueue:
    """The queue of one link.

    Args:
        limits: Say how much may wait.
        account: Where the bytes that wait are counted.
    """

    def __init__(self, limits: Limits, account: Account) -> None:
        self._limits = limits
        self._account = account
        self._entries: deque[_Entry] = deque()
        self._waiting = trio.lowlevel.ParkingLot()
        self._is_closed = False
        self.size = 0
        """In bytes, of the params and results that wait."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def has_room(self) -> bool:
        """Whether a task may put something in; what it puts may be larger than what is left."""
        limits = self._limits
        is_small = self.size < limits.queued_bytes and len(self._entries) < limits.queued_messages
        return is_small or self._is_closed

    def excess(self, spare: int) -> str | None:
        """Name the limit that the queue is over; None while it is not.

        Args:
            spare: The size of the one message that may be larger than what was left, in bytes.
        """
        if len(self._entries) > self._limits.queued_messages:
            return "queued_messages"
        return "queued_bytes" if self.size > self._limits.queued_bytes + spare else None

    async def wait_room(self) -> None:
        """Wait until there is room; what follows without a checkpoint may use it."""
        while not self.has_room:
            await self._waiting.park()

    def put(self, message: Message, on_taken: Callable[[], None] | None = None) -> None:
        """Queue a message; `on_taken` is called when the writer takes it."""
        if self._is_closed:
            return
        size = _size(message)
        self._entries.append(_Entry(message, size, on_taken))
        self.size += size
        self._account.hold(size + MESSAGE_COST)

    def pop(self) -> Message | None:
        """Take the oldest message."""
        if not self._entries:
            return None
        entry = self._entries.popleft()
        self._note_gone(entry.size)
        if entry.on_taken is not None:
            entry.on_taken()
        return entry.message

    def withdraw(self, message: Message) -> None:
        """Take a message out again; one that is not there any more was dropped by `close`."""
        for place, entry in enumerate(self._entries):
            if entry.message is message:
                del self._entries[place]
                self._note_gone(entry.size)
                return

    def close(self) -> None:
        """Drop what waits, and what is put from now on: nothing more will be sent."""
        self._is_closed = True
        count = len(self._entries)
        self._entries.clear()
        self._note_gone(self.size, count)

    def _note_gone(self, size: int, count: int = 1) -> None:
        self.size -= size
        self._account.release(size + count * MESSAGE_COST)
        if self._waiting and self.has_room:
            # As many as there are places; who gets in and finds the bytes used up waits again.
            self._waiting.unpark(count=self._limits.queued_messages - len(self._entries))


def _size(message: Message) -> int:
    """Tell what keeping a message costs: the text in it that a user, or a peer, has chosen."""
    if isinstance(message, Response):
        return len(message.result)
    if isinstance(message, Request):
        return 0 if message.params is None else len(message.params)
    if isinstance(message, Started):
        return len(message.value)
    if isinstance(message, ErrorResponse):
        return len(message.error.message) + len(message.error.data or b"")
    return sum(map(len, message.answers)) if isinstance(message, BatchReply) else 0
