"""Rooms to talk in: one signal, keyed by room, so that each subscriber hears one room."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import UTC, datetime

import attrs

from farcall import ApplicationError, Signal, method, service

KEPT = 50


@attrs.frozen
class Message:
    """What somebody said in a room."""

    room: str
    author: str
    text: str
    at: datetime


@attrs.define
class EmptyMessage(ApplicationError):
    """Nothing was said."""

    room: str


@service
class Chat:
    """Rooms to talk in; a room is there as soon as somebody speaks in it."""

    said: Signal[Message] = Signal(key="room")
    """Each message, as it is said."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, deque[Message]] = defaultdict(lambda: deque(maxlen=KEPT))

    async def rooms(self) -> list[str]:
        """List the rooms in which something was said."""
        return sorted(self._rooms)

    async def recent(self, room: str, most: int = 10) -> list[Message]:
        """Give what was said last in a room, oldest first.

        Args:
            room: Its name.
            most: How many messages; at most 50 are kept.
        """
        kept = list(self._rooms.get(room, ()))
        return kept[-most:] if most > 0 else []

    @method(raises=[EmptyMessage])
    async def say(self, room: str, author: str, text: str) -> Message:
        """Say something to all who listen to a room."""
        if not text.strip():
            raise EmptyMessage(room)
        message = Message(room, author, text, datetime.now(UTC))
        self._rooms[room].append(message)
        self.said.emit(message)
        return message
