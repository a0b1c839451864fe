"""Counts of failed logins in the last minute: of each address, and in all.

A limit of each connection alone would not stop guesses, because a peer can connect again. When many
addresses guess together, those that have failed are refused, and all others may still log in.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from farcall._limits import Limits

Origin: TypeAlias = IPv4Network | IPv6Network

MINUTE: Final = 60.0

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that are one network's (RFC 4291, section 2.5.4): a host has as many
addresses as it likes within those."""

MAX_ORIGINS: Final = 10_000
"""Addresses that are counted, at about 300 bytes each; the one that failed least recently goes."""


def origin_of(peer: str) -> Origin | None:
    """Return the address of a peer, or its IPv6 network.

    Args:
        peer: ``host:port``, an address alone, or another name for a peer without an address.

    Returns:
        None for a peer on this machine: it may be a proxy for many peers.
    """
    address = _address(peer) or _address(peer.rpartition(":")[0].strip("[]"))
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address is None or address.is_loopback:
        return None
    if isinstance(address, IPv4Address):
        return ip_network(address)
    return ip_network((int(address), IPV6_PREFIX), strict=False)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


class Excess(Struct, frozen=True):
    """The limit that another attempt would exceed."""

    limit: str
    most: int
    seconds: float
    """After which a peer may try again."""


# Without validation on assignment, which costs Python calls for each change of the counter.
class _Minute(Struct, eq=False):
    """A count that starts again after a minute."""

    _began: float
    _failures: int = 0

    def add(self, now: float) -> None:
        if self.seconds_left(now) <= 0:
            self._began, self._failures = now, 0
        self._failures += 1

    def count(self, now: float) -> int:
        return self._failures if self.seconds_left(now) > 0 else 0

    def seconds_left(self, now: float) -> float:
        return self._began + MINUTE - now


class FailedLogins:
    """The attempts that failed in the last minute."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = _Minute(-math.inf)
        self._of_origins: OrderedDict[Origin, _Minute] = OrderedDict()

    def add(self, origin: Origin | None, now: float) -> None:
        self._all.add(now)
        if origin is None:
            return
        # At the end, for the dictionary is in the order of the last failures.
        minute = self._of_origins[origin] = self._of_origins.pop(origin, _Minute(now))
        minute.add(now)
        if len(self._of_origins) > MAX_ORIGINS:
            self._of_origins.popitem(last=False)

    def count(self, origin: Origin | None, now: float) -> int:
        """Return how many attempts of an address failed; 0 for a peer without an address."""
        minute = None if origin is None else self._of_origins.get(origin)
        return 0 if minute is None else minute.count(now)

    def excess(self, origin: Origin | None, failures: int, now: float) -> Excess | None:
        """Return the limit that another attempt would exceed, if any.

        Args:
            origin: The address of the peer, if it has one.
            failures: How many attempts of its connection failed.
            now: The time.
        """
        limits, count = self._limits, self.count(origin, now)
        if origin is not None and count >= limits.address_failed_logins:
            seconds = self._of_origins[origin].seconds_left(now)
            return Excess("address_failed_logins", limits.address_failed_logins, seconds)
        if (count or failures) and self._all.count(now) >= limits.server_failed_logins:
            seconds = self._all.seconds_left(now)
            return Excess("server_failed_logins", limits.server_failed_logins, seconds)
        return None
