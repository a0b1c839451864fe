"""The heartbeat of one link: ping a silent peer, give up one that stays silent.

Any byte received is a sign of life, so a busy link never pings. TCP alone notices a dead peer only
when something is sent, and then after many minutes. `Pings` holds the pings that wait for their
pong; each measures a round trip.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio
from msgspec import Struct, field

from farcall._usage.options import (
    check_instance,
    check_seconds,
    check_share,
    validator,
)


@attrs.frozen
class Heartbeat:
    """When a silent peer is pinged, and when it is given up.

    ``Heartbeat(idle_seconds=math.inf)`` never pings.

    Raises:
        ValueError: a time is not above 0, or the jitter is not from 0 to below 1.
        TypeError: one of them is no number.

    >>> Heartbeat(idle_seconds=5.0, grace_seconds=2.0)
    Heartbeat(idle_seconds=5.0, grace_seconds=2.0, jitter=0.1)
    """

    idle_seconds: float = attrs.field(default=20.0, validator=validator(check_seconds))
    """How long the peer may be silent before a ping is sent: less than the 30 s after which the
    most impatient proxies drop an idle connection."""
    grace_seconds: float = attrs.field(default=20.0, validator=validator(check_seconds))
    """How long after the ping the peer may stay silent before the link is ended."""
    jitter: float = attrs.field(
        default=0.1,
        validator=validator(check_share, may_be_zero=True, write="0.1 for 10 percent"),
    )
    """The share by which both times vary at random, so that connections made together do not ping
    together."""


def check_heartbeat(name: str, heartbeat: object) -> None:
    """Check for a `Heartbeat`."""
    write = f"{name}Heartbeat(idle_seconds=math.inf) for none"
    check_instance(name, heartbeat, Heartbeat, "a farcall.Heartbeat", write)


class Pulse(Protocol):
    """The part of a `Transport` that a heartbeat watches."""

    @property
    def received_at(self) -> float:
        """The time of the last byte."""
        ...


async def watch(
    heartbeat: Heartbeat, pulse: Pulse, send_ping: Callable[[], Awaitable[object]]
) -> None:
    """Ping whenever the peer is silent; return when it stays silent. Never raises.

    Args:
        heartbeat: The times.
        pulse: The signs of life.
        send_ping: Returns once the ping is on its way. On a slow line it may wait behind a large
            message; the transport notices a peer that accepts nothing of that.
    """
    while True:
        received_at = pulse.received_at
        await trio.sleep_until(received_at + spread(heartbeat, heartbeat.idle_seconds))
        if pulse.received_at != received_at:
            continue
        await send_ping()
        await trio.sleep(spread(heartbeat, heartbeat.grace_seconds))
        if pulse.received_at == received_at:
            return


def spread(heartbeat: Heartbeat, seconds: float) -> float:
    """Vary a duration at random, by at most the jitter."""
    return seconds * random.uniform(1 - heartbeat.jitter, 1 + heartbeat.jitter)


class Ping(Struct, eq=False):
    """A ping from when it is made until its pong, or until the link ends."""

    payload: bytes
    taken_at: float = field(default_factory=trio.current_time)
    """When the writer took it; before that, when it was made."""
    round_trip: float | None = None
    """Seconds; None before the pong, and for good if the link ended first."""
    _taken: trio.Event = field(default_factory=trio.Event)
    _over: trio.Event = field(default_factory=trio.Event)

    @property
    def is_over(self) -> bool:
        """Whether the pong has come or the link has ended."""
        return self._over.is_set()

    async def wait_taken(self) -> None:
        """Wait until the writer has taken it, or will never do so."""
        await self._taken.wait()

    def take(self) -> None:
        """Begin the round trip: what was still being sent before is not part of it."""
        self.taken_at = trio.current_time()
        self._taken.set()

    async def wait(self) -> None:
        """Wait for the pong, or for the end of the link."""
        await self._over.wait()

    def end(self) -> None:
        """Wake all waiters."""
        self._taken.set()
        self._over.set()


class Pings:
    """Pings that wait for their pong, by payload, oldest first.

    The heartbeat bounds them: a peer that sends no pong is soon given up.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, Ping] = {}
        self._sent = 0
        self.round_trip: float | None = None
        """Seconds, as the last pong measured them; None before the first."""
        self._has_writer = True

    def new(self) -> Ping:
        self._sent += 1
        ping = Ping(b"%d" % self._sent)
        self._waiting[ping.payload] = ping
        if not self._has_writer:
            ping.take()
        return ping

    def take(self, payload: bytes) -> None:
        ping = self._waiting.get(payload)
        if ping is not None:
            ping.take()

    def lose_writer(self) -> None:
        """Wake those that wait for a writer that has ended."""
        self._has_writer = False
        for ping in self._waiting.values():
            ping.take()

    def on_pong(self, payload: bytes) -> None:
        """End the ping of a pong; an unsolicited pong means nothing.

        "An endpoint [...] MAY elect to send a Pong frame for only the most recently processed Ping
        frame" (RFC 6455, section 5.5.3), so a pong also answers the pings before its own.
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
        """Wake all waiters: no pong will come."""
        for ping in self._waiting.values():
            ping.end()
        self._waiting.clear()
