"""The heartbeat of one connection: a silent peer is pinged, one that stays silent is gone.

Any byte received is a sign of life, so a busy link never pings. TCP alone notices a dead peer only
when something is sent, and then after many minutes. Pings that wait for their pong are kept here,
with the round trip that they measure.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio

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
    """Without a received byte for so long, a ping is sent: below the 30 s after which the
    shortest-tempered proxies drop an idle connection."""
    grace_seconds: float = attrs.field(default=20.0, validator=validator(check_seconds))
    """After the ping, so long again until the link is ended."""
    jitter: float = attrs.field(
        default=0.1,
        validator=validator(check_share, may_be_zero=True, write="0.1 for 10 percent"),
    )
    """Spread, so that many connections made at once do not ping at once."""


def check_heartbeat(name: str, heartbeat: object) -> None:
    """Check for a `Heartbeat`."""
    write = f"{name}Heartbeat(idle_seconds=math.inf) for none"
    check_instance(name, heartbeat, Heartbeat, "a farcall.Heartbeat", write)


class Pulse(Protocol):
    """What the heartbeat listens to."""

    @property
    def received_at(self) -> float:
        """Tell when the last byte came."""
        ...


async def watch(
    heartbeat: Heartbeat, pulse: Pulse, send_ping: Callable[[], Awaitable[object]]
) -> None:
    """Ping whenever the peer is silent; return when it stays so. Never raises.

    Args:
        heartbeat: When.
        pulse: The signs of life.
        send_ping: Returns when the ping is on its way. A large message before it may take its
            time on a slow line; the transport notices a peer that takes nothing of that.
    """
    while True:
        heard_at = pulse.received_at
        await trio.sleep_until(heard_at + spread(heartbeat, heartbeat.idle_seconds))
        if pulse.received_at != heard_at:
            continue
        await send_ping()
        await trio.sleep(spread(heartbeat, heartbeat.grace_seconds))
        if pulse.received_at == heard_at:
            return


def spread(heartbeat: Heartbeat, seconds: float) -> float:
    """Give a duration that differs from `seconds` by at most the jitter."""
    return seconds * random.uniform(1 - heartbeat.jitter, 1 + heartbeat.jitter)


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
        """Wake all waiters."""
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
        """Wake all waiters: no pong will come."""
        for ping in self._waiting.values():
            ping.end()
        self._waiting.clear()
