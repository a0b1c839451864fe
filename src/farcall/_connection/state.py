"""Where one link stands, how it came to its end, and what it counts."""

from __future__ import annotations

import logging
import math
from enum import Enum
from typing import Final

import attrs
import trio

from farcall._transport.transport import CloseReason, Endpoint
from farcall._usage.home import Home
from farcall.errors import ConnectionLost


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


SHUTDOWN_REASON: Final = "the server is shutting down"
"""What a drain tells: in the Close frame, and in the errors that it causes."""


class Lifecycle:
    """The state of one link, which goes forward only.

    Args:
        endpoint: Who is at both ends.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.home = Home()
        self.state = ConnectionState.CONNECTING
        self.close_reason: CloseReason | None = None
        """The first reason that there was; what follows from it is none."""
        self.is_usable = False
        """Whether something may still be begun."""
        self.is_leaving = False
        """Whether it is this side that goes away."""
        self.ends_here = False
        """Whether this side ends the link of its own accord: it closes, or is cancelled."""
        self._closed = trio.Event()

    @property
    def is_closed(self) -> bool:
        """Whether the link has ended."""
        return self._closed.is_set()

    def open(self) -> None:
        """Begin to be usable."""
        self.state = ConnectionState.OPEN
        self.is_usable = True

    @property
    def is_staying(self) -> bool:
        """Whether the peer may begin something new: this side does not go away."""
        return self.is_usable and not self.is_leaving

    def drain(self) -> None:
        """Begin to come to an end, whichever side goes away.

        A goodbye of this side may have crossed the one of the peer.
        """
        if self.state is ConnectionState.OPEN:
            self.state = ConnectionState.DRAINING

    def leave(self) -> None:
        """Go away: the peer may not begin anything new."""
        self.is_leaving = True
        self.drain()

    def begin_close(self) -> bool:
        """Begin to close, and tell whether that is news."""
        if not self.is_usable:
            return False
        self.state = ConnectionState.CLOSING
        self.is_usable = False
        return True

    def note_reason(self, reason: CloseReason) -> None:
        """Remember why the link ends, unless that is known."""
        if self.close_reason is None:
            self.close_reason = reason

    def close(self) -> None:
        """End."""
        self.state = ConnectionState.CLOSED
        self.is_usable = False
        self._closed.set()

    async def wait_closed(self) -> None:
        """Wait until the link has ended."""
        await self._closed.wait()

    def check_open(self) -> None:
        """Refuse to begin something when it is too late.

        Raises:
            ConnectionLost: it is.
        """
        if not self.is_usable:
            raise self.lost(sent=False)

    def lost(self, *, sent: bool) -> ConnectionLost:
        """Make the error for what cannot be done because the link has ended."""
        reason = self.close_reason or CloseReason(1006, "")
        who = "the peer" if reason.remote else "this side"
        words = f": {reason.reason}" if reason.reason else ""
        return ConnectionLost(
            f"{who} ended the connection to {self.endpoint.peer} ({reason.code}{words})", sent=sent
        )


logger = logging.getLogger("farcall")

LOG_SECONDS = 1.0
"""Between two lines about one connection: whoever floods us must not flood the log as well."""


class Drops:
    """The one-way calls of one connection that were dropped.

    Args:
        peer: Of the connection, for the log.
    """

    def __init__(self, peer: str) -> None:
        self.count = 0
        self._peer = peer
        self._told = 0
        self._told_at = -math.inf

    def add(self, limit: str) -> None:
        """Count one that was over a limit."""
        self.count += 1
        now = trio.current_time()
        if now - self._told_at >= LOG_SECONDS:
            fresh, self._told = self.count - self._told, self.count
            self._told_at = now
            logger.warning("%s: dropped %d one-way calls (the limit %s)", self._peer, fresh, limit)
