"""Where a connection stands, and what it counts."""

from __future__ import annotations

from enum import Enum

import attrs


class ConnectionState(Enum):
    """Where a connection stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    DRAINING = "draining"
    CLOSING = "closing"
    CLOSED = "closed"


@attrs.frozen
class ConnectionStatistics:
    """A snapshot of one connection."""

    state: ConnectionState
    dialect: str
    """``farcall``, or ``plain`` for a peer that has not said hello."""
    calls_out: int
    """Calls of this side that are in flight, streams and abandoned ones included."""
    calls_in: int
    """Calls of the peer that are in flight, streams included."""
    queued: int
    """Messages, and streams with something to say, that wait for the writer."""
    frames_in: int
    frames_out: int
    strays: int
    """Messages of the peer that belonged to nothing, and were dropped."""
    dropped: int
    """One-way calls of the peer that were over a limit."""
    round_trip: float | None
    """Seconds, by the last ping; None before the first pong."""

    @property
    def in_flight(self) -> int:
        """Calls in flight, of both sides."""
        return self.calls_out + self.calls_in
