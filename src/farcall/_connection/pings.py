"""The pings of one connection that wait for their pong, and the round trip they measure."""

from __future__ import annotations

import attrs
import trio


@attrs.define(eq=False)
class Ping:
    """A ping, and what is known of its way."""

    payload: bytes
    taken_at: float = attrs.field(factory=trio.current_time)
    """When the writer took it; until then, when it was made."""
    round_trip: float | None = None
    """Seconds; None before the pong, and for good where the link ended first."""
    _taken: trio.Event = attrs.field(factory=trio.Event)
    _over: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._over.is_set()

    async def wait_taken(self) -> None:
        """Wait until the writer has taken it, or will never do so."""
        await self._taken.wait()

    def take(self) -> None:
        """Let the round trip begin: what was being sent before is no part of it."""
        self.taken_at = trio.current_time()
        self._taken.set()

    async def wait(self) -> None:
        """Wait for the pong, or for the end of the link."""
        await self._over.wait()

    def end(self) -> None:
        """Let everybody go who waits."""
        self._taken.set()
        self._over.set()


class Pings:
    """Pings on their way, by payload, oldest first.

    They are bounded by the heartbeat: where no pong comes, nothing else does for long.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, Ping] = {}
        self._sent = 0
        self.round_trip: float | None = None
        """Seconds, by the last pong; None before the first."""
        self._has_writer = True

    def new(self) -> Ping:
        """Make a ping that is to be sent now."""
        self._sent += 1
        ping = Ping(b"%d" % self._sent)
        self._waiting[ping.payload] = ping
        if not self._has_writer:
            ping.take()
        return ping

    def take(self, payload: bytes) -> None:
        """Note that the writer takes a ping; one that is over already does not matter."""
        ping = self._waiting.get(payload)
        if ping is not None:
            ping.take()

    def lose_writer(self) -> None:
        """Let nobody wait for a writer that has ended."""
        self._has_writer = False
        for ping in self._waiting.values():
            ping.take()

    def on_pong(self, payload: bytes) -> None:
        """Take a pong; one that nobody asked for means nothing.

        "An endpoint [...] MAY elect to send a Pong frame for only the most recently processed Ping
        frame" (RFC 6455, section 5.5.3), so those before it are answered as well.
        """
        if payload not in self._waiting:
            return
        for ping in tuple(self._waiting.values()):
            del self._waiting[ping.payload]
            self.round_trip = ping.round_trip = trio.current_time() - ping.taken_at
            ping.end()
            if ping.payload == payload:
                return

    def end(self) -> None:
        """Let everybody go who waits for a pong that will not come."""
        for ping in self._waiting.values():
            ping.end()
        self._waiting.clear()
