"""The heartbeat of one connection: a silent peer is asked, one that stays silent is gone.

Any byte received is a sign of life, so a busy link never pings. TCP alone notices a dead peer
only when something is sent, and then after many minutes.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio


@attrs.frozen
class Heartbeat:
    """When a silent peer is pinged, and when it is given up.

    >>> Heartbeat(idle_seconds=5.0, grace_seconds=2.0)
    Heartbeat(idle_seconds=5.0, grace_seconds=2.0, jitter=0.1)
    """

    idle_seconds: float = 20.0
    """Without a received byte for so long, a ping is sent: below the 30 s after which the
    shortest-tempered proxies drop an idle connection."""
    grace_seconds: float = 20.0
    """After the ping, so long again until the link is ended."""
    jitter: float = 0.1
    """Spread, so that many connections made at once do not ping at once."""


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
