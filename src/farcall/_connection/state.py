"""The state of one link: open or closing, why it ended, and what it counts."""

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
    """The steps of a connection, in order; it may skip some."""

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
    """``farcall``, or ``plain`` if the peer has not said hello."""
    calls_out: int
    """Calls of this side in flight, with streams and abandoned calls."""
    calls_in: int
    """Calls of the peer in flight, with streams."""
    queued: int
    """Messages that wait to be sent, and streams that have values to send."""
    frames_in: int
    frames_out: int
    strays: int
    """Messages of the peer that matched no call or stream, and were dropped."""
    dropped: int
    """Notifications of the peer that were dropped because of a limit."""
    round_trip: float | None
    """Seconds, as the last ping measured them; None before the first pong."""

    @property
    def in_flight(self) -> int:
        """Calls in flight in both directions."""
        return self.calls_out + self.calls_in


SHUTDOWN_REASON: Final = "the server is shutting down"
"""The reason that a drain gives, in the Close frame and in the errors that it causes."""


class Lifecycle:
    """The state of one link, which only moves forward.

    Args:
        endpoint: Both ends of the link, for errors.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.home = Home()
        self.state = ConnectionState.CONNECTING
        self.close_reason: CloseReason | None = None
        """The first reason; later ones only follow from it."""
        self.is_usable = False
        """Whether a new call may still begin."""
        self.is_leaving = False
        """Whether this side goes away: the peer may begin nothing new."""
        self.ends_here = False
        """Whether this side ends the link by its own choice: it closes, or is cancelled."""
        # An attribute, for every task that is started reads it.
        self.is_closed = False
        """Whether the link has ended."""
        self._closed: trio.Event | None = None

    def open(self) -> None:
        self.state = ConnectionState.OPEN
        self.is_usable = True

    @property
    def is_staying(self) -> bool:
        """Whether the peer may begin a new call: this side does not go away."""
        return self.is_usable and not self.is_leaving

    def drain(self) -> None:
        """Note that one of the sides goes away."""
        # Both may: a goaway of this side may have crossed one of the peer.
        if self.state is ConnectionState.OPEN:
            self.state = ConnectionState.DRAINING

    def leave(self) -> None:
        self.is_leaving = True
        self.drain()

    def begin_close(self) -> bool:
        """Begin to close; return False if that had begun already."""
        if not self.is_usable:
            return False
        self.state = ConnectionState.CLOSING
        self.is_usable = False
        return True

    def note_reason(self, reason: CloseReason) -> None:
        """Set the reason, unless there is one."""
        if self.close_reason is None:
            self.close_reason = reason

    def close(self) -> None:
        self.state = ConnectionState.CLOSED
        self.is_usable = False
        self.is_closed = True
        if self._closed is not None:
            self._closed.set()

    async def wait_closed(self) -> None:
        if self._closed is None:
            self._closed = trio.Event()
            if self.is_closed:
                self._closed.set()
        await self._closed.wait()

    def check_open(self) -> None:
        """Raise `ConnectionLost` if no new call may begin."""
        if not self.is_usable:
            raise self.lost(sent=False)

    def lost(self, *, sent: bool) -> ConnectionLost:
        """Return the error for whatever fails because the link has ended."""
        reason = self.close_reason or CloseReason(1006, "")
        side = "the peer" if reason.remote else "this side"
        detail = f": {reason.reason}" if reason.reason else ""
        return ConnectionLost(
            f"{side} ended the connection to {self.endpoint.peer} ({reason.code}{detail})",
            sent=sent,
        )


logger = logging.getLogger("farcall")

LOG_SECONDS = 1.0
"""Between two log lines about one connection: a peer that floods it must not flood the log."""


class Drops:
    """The dropped notifications of one connection.

    Args:
        peer: Its address, for the log.
    """

    def __init__(self, peer: str) -> None:
        self.count = 0
        self._peer = peer
        self._logged = 0
        self._logged_at = -math.inf

    def add(self, limit: str) -> None:
        """Count a notification that was over a limit."""
        self.count += 1
        now = trio.current_time()
        if now - self._logged_at >= LOG_SECONDS:
            fresh, self._logged = self.count - self._logged, self.count
            self._logged_at = now
            logger.warning("%s: dropped %d one-way calls (the limit %s)", self._peer, fresh, limit)
