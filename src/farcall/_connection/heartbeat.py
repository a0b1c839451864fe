"""The heartbeat of one link: ping a silent peer, give up one that stays silent.

Any byte received is a sign of life, so a busy link never pings. TCP alone notices a dead peer only
when something is sent, and then after many minutes. Each link has its `Watch`, and one `Wheel` asks
the watches of all links. `Pings` holds the pings that wait for their pong; each measures a round
trip.
"""

from __future__ import annotations

import math
import random
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
from farcall.errors import CloseCode


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
    """The part of a link that its heartbeat watches, and acts on."""

    @property
    def received_at(self) -> float:
        """The time of the last byte, on Trio's clock."""
        ...

    def drop_idle_tasks(self) -> None:
        """Give up what a link without handlers does not need."""

    def on_silence(self) -> Ping:
        """Send a ping."""
        ...

    def abort(self, code: int, reason: str, /) -> None:
        """Hang up."""


class Watch:
    """Watches one link: pings its peer when that is silent, and gives up when it stays silent.

    It has no clock of its own: a `Wheel` asks it when something may be due.

    Args:
        heartbeat: The times.
        pulse: The link.
    """

    __slots__ = ("_grace", "_heartbeat", "_ping", "_pulse", "_received_at")

    def __init__(self, heartbeat: Heartbeat, pulse: Pulse) -> None:
        self._heartbeat = heartbeat
        self._pulse: Pulse | None = pulse
        self._received_at = -math.inf
        self._ping: Ping | None = None
        self._grace = 0.0

    def stop(self) -> None:
        """Forget the link: the wheel may hold this object for some time after its end."""
        self._pulse = self._ping = None

    @property
    def is_stopped(self) -> bool:
        return self._pulse is None

    def abort(self, reason: str) -> None:
        """End the link."""
        if self._pulse is not None:
            self._pulse.abort(CloseCode.INTERNAL, reason)

    def act(self, now: float) -> float | None:
        """Do what is due; return when to be asked again, or None for never."""
        heartbeat, pulse, ping = self._heartbeat, self._pulse, self._ping
        if pulse is None:
            return None
        pulse.drop_idle_tasks()
        if pulse.received_at != self._received_at:
            self._received_at, self._ping = pulse.received_at, None
            return vary(self._received_at, heartbeat.idle_seconds, heartbeat.jitter)
        if ping is None:
            self._ping = pulse.on_silence()
            due = vary(now, heartbeat.grace_seconds, heartbeat.jitter)
            self._grace = due - now
            return due
        # On a slow line a ping may wait behind a large message; the transport notices a peer that
        # accepts nothing of that. So the grace begins when the ping is on its way.
        due = (ping.taken_at if ping.is_taken else now) + self._grace
        if due > now:
            return due
        seconds = heartbeat.idle_seconds + heartbeat.grace_seconds
        self.abort(f"the peer was silent for {seconds:.0f} s")
        return None


def vary(start: float, seconds: float, jitter: float) -> float:
    """Return a time so many seconds after `start`, varied at random by at most the jitter.

    It is one of about 40 times, which are the same for all links with such a heartbeat: those that
    choose the same one share a step of the wheel.
    """
    at = start + seconds * random.uniform(1 - jitter, 1 + jitter)
    step = seconds * jitter / 20
    if not 0 < step < math.inf:
        return at
    shared = math.ceil(at / step) * step
    return shared if shared <= start + seconds * (1 + jitter) else shared - step


class Ping(Struct, eq=False):
    """A ping from when it is made until its pong, or until the link ends."""

    payload: bytes
    taken_at: float = field(default_factory=trio.current_time)
    """When the writer took it; before that, when it was made."""
    is_taken: bool = False
    """Whether the writer has taken it, or will never do so."""
    is_over: bool = False
    """Whether the pong has come or the link has ended."""
    round_trip: float | None = None
    """Seconds; None before the pong, and for good if the link ended first."""
    _waiting: trio.Event | None = None

    def take(self) -> None:
        """Begin the round trip: what was still being sent before is not part of it."""
        self.taken_at = trio.current_time()
        self.is_taken = True

    async def wait(self) -> None:
        """Wait for the pong, or for the end of the link."""
        if self._waiting is None:
            self._waiting = trio.Event()
            if self.is_over:
                self._waiting.set()
        await self._waiting.wait()

    def end(self) -> None:
        """Wake all waiters."""
        self.is_taken = self.is_over = True
        if self._waiting is not None:
            self._waiting.set()


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
        """Note that the writer has ended: no ping waits for it any more."""
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
