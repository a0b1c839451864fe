"""When a call of the peer has to end, and whose limit that is."""

from __future__ import annotations

import math
from typing import Final

import attrs
import trio

from farcall._connection.responses import Request


@attrs.frozen
class Deadline:
    """A point in time, on Trio's clock."""

    at: float
    by: str
    """``caller`` or ``server``: who set it."""

    @classmethod
    def of(cls, call: Request, longest: float) -> Deadline:
        """Take the earlier one of what the caller said and what the server allows.

        Args:
            call: The caller's call.
            longest: What the server allows, in seconds.
        """
        timeout = call.timeout
        if timeout is None and longest == math.inf:
            return NO_DEADLINE
        now = trio.current_time()
        if timeout is None or longest < timeout / 1000:
            return cls(now + longest, "server")
        return cls(now + timeout / 1000, "caller")


NO_DEADLINE: Final = Deadline(math.inf, "server")
