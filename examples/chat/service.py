"""A chat with rooms: one signal, keyed by room, so that a subscriber can listen to one room."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import UTC, datetime

import attrs

from farcall import ApplicationError, Signal, method, service

KEPT = 50


@attrs.frozen
class Message:
    """A message in a room."""

    room: str
    author: str
    text: str
    at: datetime


@attrs.define
class EmptyMessage(ApplicationError):
    """The message has no text."""

    room: str


@service
class Chat:
    """A chat with rooms. The first message to a room creates it."""

    said: Signal[Message] = Signal(key="room")
    """Every new message."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, deque[Message]] = defaultdict(lambda: deque(maxlen=KEPT))

    async def rooms(self) -> list[str]:
        """List the rooms that have messages."""
        return sorted(self._rooms)

    async def recent(self, room: str, most: int = 10) -> list[Message]:
        """Return the last messages of a room, oldest first.

        Args:
            room: The name of the room.
            most: How many messages to return; the server keeps 50.
        """
        kept = list(self._rooms.get(room, ()))
        return kept[-most:] if most > 0 else []

    @method(raises=[EmptyMessage])
    async def say(self, room: str, author: str, text: str) -> Message:
        """Send a message to everyone who listens to a room."""
        if not text.strip():
            raise EmptyMessage(room)
        message = Message(room, author, text, datetime.now(UTC))
        self._rooms[room].append(message)
        self.said.emit(message)
        return message
