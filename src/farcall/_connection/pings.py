"""The pings of one connection that wait for their pong, and the round trip they measure."""

from __future__ import annotations

import trio


class Pings:
    """Pings on their way, by payload. At most a few: each is answered, or the link ends."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[float, trio.Event]] = {}
        self._sent = 0
        self.round_trip: float | None = None
        """Seconds, by the last pong; None before the first."""

    def new(self) -> tuple[bytes, trio.Event]:
        """Make a payload, and the event that is set when its pong comes, or the link ends."""
        self._sent += 1
        payload = b"%d" % self._sent
        answered = trio.Event()
        self._waiting[payload] = trio.current_time(), answered
        return payload, answered

    def on_pong(self, payload: bytes) -> None:
        """Take a pong; one that nobody asked for means nothing."""
        sent = self._waiting.pop(payload, None)
        if sent is not None:
            sent_at, answered = sent
            self.round_trip = trio.current_time() - sent_at
            answered.set()

    def end(self) -> None:
        """Let everybody go who waits for a pong that will not come."""
        for _, answered in self._waiting.values():
            answered.set()
        self._waiting.clear()
