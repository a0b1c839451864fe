"""The heartbeat of one connection: a silent peer is asked, one that stays silent is gone.

Any byte received is a sign of life, so a busy link never pings. TCP alone notices a dead peer
only when something is sent, and then after many minutes.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import attrs
import trio

from farcall._options import check_instance, check_number, check_seconds, validator, wrong_value


def _check_jitter(name: str, value: object) -> None:
    check_number(name, value, takes="a share", may_be_zero=True)
    if cast("float", value) >= 1:
        raise wrong_value(name, "a share below 1", value, "0.1 for 10 percent")


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
    jitter: float = attrs.field(default=0.1, validator=validator(_check_jitter))
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
