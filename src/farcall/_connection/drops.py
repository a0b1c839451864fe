"""What is dropped because nobody waits for an answer: counted, and told once in a while."""

from __future__ import annotations

import logging
import math

import trio

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
