"""Limits on the number of peers: handshakes in progress, and open connections.

Each stops one attack. Only time tells a peer that sends nothing from a good one, so at the limit
the oldest handshake is dropped, and a quick one always succeeds. Open connections stay: at the
limit a new one is refused.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from msgspec import Struct, field

from farcall._limits import Limits
from farcall._transport.http import Rejection

logger = logging.getLogger("farcall")


class ConnectionGuard(Struct):
    """The handshakes in progress, and the count of open connections."""

    most_open: int
    most_pending: int
    _open_limit: str = "connections"
    """The name of the limit that `most_open` is."""
    open: int = 0
    """Open connections."""
    _pending: dict[trio.CancelScope, None] = field(default_factory=dict[trio.CancelScope, None])
    """The handshakes in progress, oldest first."""

    @classmethod
    def of(cls, limits: Limits, descriptors: float) -> ConnectionGuard:
        """Apply limits to a process that may have so many descriptors.

        Each connection is one. Handshakes get half of those that open connections leave, so that
        the other half remains for the files and sockets of the application.
        """
        # Rounded, for 1 - 0.8 is a little less than 0.2.
        share = round(descriptors * limits.descriptor_share, 6)
        spare = round(descriptors * (1 - limits.descriptor_share) / 2, 6)
        return cls(
            int(max(1, min(limits.connections, share))),
            int(max(1, min(limits.pending_handshakes, spare))),
            "descriptor_share" if share < limits.connections else "connections",
        )

    @property
    def pending(self) -> int:
        """The number of handshakes in progress."""
        return len(self._pending)

    @contextmanager
    def handshake(self, seconds: float) -> Iterator[None]:
        """Bound a handshake: by time, and by newer ones when there are too many."""
        while len(self._pending) >= self.most_pending:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            oldest.cancel()
        scope = trio.CancelScope()
        self._pending[scope] = None
        try:
            with scope:
                scope.deadline = trio.current_time() + seconds
                yield
        finally:
            is_dropped = self._pending.pop(scope, self) is self
        if scope.cancelled_caught:
            limit = "pending_handshakes" if is_dropped else "handshake_seconds"
            logger.debug("dropped a handshake that was not complete (the limit %s)", limit)

    def check(self) -> None:
        """Check that another connection may open.

        Raises:
            Rejection: 503, too many are open.
        """
        if self.open >= self.most_open:
            problem = f"{self.most_open} connections are open (the limit {self._open_limit})"
            raise Rejection(503, problem)

    def enter(self) -> None:
        """Count a connection that opens, until `leave`.

        Raises:
            Rejection: 503, too many are open.
        """
        self.check()
        self.open += 1

    def leave(self) -> None:
        self.open -= 1


def descriptor_limit() -> float:
    """Return how many descriptors this process may have."""
    if sys.platform == "win32":
        return math.inf
    import resource  # noqa: PLC0415 - not on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
