"""When a call ends by itself: the timeout of its caller, or the limit of the server."""

from __future__ import annotations

import math
from typing import Final

import trio
from msgspec import Struct

from farcall._connection.responses import Request


class Deadline(Struct, frozen=True):
    """When a call ends by itself."""

    at: float
    """On Trio's clock."""
    by: str
    """The side that set it: ``caller`` or ``server``."""

    @classmethod
    def of(cls, call: Request, longest: float) -> Deadline:
        """Take the earlier of the caller's timeout and the server's limit.

        Args:
            call: Has the timeout.
            longest: The limit of the server, in seconds.
        """
        timeout = call.timeout
        if timeout is None and longest == math.inf:
            return NO_DEADLINE
        now = trio.current_time()
        if timeout is None or longest < timeout / 1000:
            return cls(now + longest, "server")
        return cls(now + timeout / 1000, "caller")


NO_DEADLINE: Final = Deadline(math.inf, "server")
