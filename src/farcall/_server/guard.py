"""How many peers there may be: handshakes under way, and open connections.

Two numbers, for two attacks. Peers that say nothing are told from good ones by nothing but time,
so the oldest of them goes when there are too many, and a good one that is quick always comes in.
Peers that are in stay: at the limit it is the newcomer who is sent away.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio

from farcall._limits import Limits
from farcall._transport.http import Rejection

logger = logging.getLogger("farcall")


@attrs.define
class ConnectionGuard:
    """The table of those who come in, and the count of those who are."""

    most_open: int
    most_pending: int
    _open_limit: str = "connections"
    """Which limit `most_open` is."""
    open: int = attrs.field(default=0, init=False)
    """Connections that are open."""
    _pending: dict[trio.CancelScope, None] = attrs.field(
        factory=dict[trio.CancelScope, None], init=False
    )
    """The handshakes under way, in the order in which they began."""

    @classmethod
    def of(cls, limits: Limits, descriptors: float) -> ConnectionGuard:
        """Say what limits mean where a process may have so many descriptors.

        Each connection is one. Those under way get half of what open ones leave, so that the
        other half remains for the files and sockets of the application.
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
        """Count the handshakes under way."""
        return len(self._pending)

    @contextmanager
    def handshake(self, seconds: float) -> Iterator[None]:
        """Bound a handshake: by its own time, and by newer ones when there are too many."""
        scope = trio.CancelScope()
        self._drop_oldest()
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

    def _drop_oldest(self) -> None:
        while len(self._pending) >= self.most_pending:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            oldest.cancel()

    def check(self) -> None:
        """Find out early whether there is a place for one more.

        Raises:
            Rejection: 503, there is none.
        """
        if self.open >= self.most_open:
            problem = f"{self.most_open} connections are open (the limit {self._open_limit})"
            raise Rejection(503, problem)

    def enter(self) -> None:
        """Count a connection that opens; `leave` is its end.

        Raises:
            Rejection: 503, there is none.
        """
        self.check()
        self.open += 1

    def leave(self) -> None:
        """Count a connection that has ended."""
        self.open -= 1


def descriptor_limit() -> float:
    """Tell how many descriptors this process may have."""
    if sys.platform == "win32":
        return math.inf
    import resource  # noqa: PLC0415 - Windows has none

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
