"""How many logins have failed lately: of each address, and in all.

An address is what guessing is cheap for: whoever is sent away can come again on another connection.
When many addresses guess together, those that have failed already are sent away, so that everybody
else still has a try.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import attrs

from farcall._limits import Limits

Origin: TypeAlias = IPv4Network | IPv6Network

MINUTE: Final = 60.0

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that are one network's (RFC 4291, section 2.5.4): a host has as many
addresses as it likes within those."""

MOST_ORIGINS: Final = 10_000
"""Addresses that are remembered, at about 300 bytes each. Over it the one that has not failed for
the longest time is forgotten."""


def origin_of(peer: str) -> Origin | None:
    """Give the address of a peer, or its IPv6 network.

    Args:
        peer: ``host:port``, an address alone, or what stands for a peer that has none.

    Returns:
        None for a peer on this machine. A proxy may be there, through which everybody comes.
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


@attrs.frozen
class Excess:
    """What an attempt is refused for."""

    limit: str
    most: int
    seconds: float
    """After which there may be another one."""


# Validating on assignment would send every change of a counter through Python code: none here.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class _Minute:
    """A count that begins again when a minute is over."""

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
    """The attempts that have failed in the last minute.

    Args:
        limits: How many those may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = _Minute(-math.inf)
        self._of_origins: OrderedDict[Origin, _Minute] = OrderedDict()

    def add(self, origin: Origin | None, now: float) -> None:
        """Count an attempt that has failed."""
        self._all.add(now)
        if origin is None:
            return
        # At the end: they are in the order of their last failures.
        minute = self._of_origins[origin] = self._of_origins.pop(origin, _Minute(now))
        minute.add(now)
        if len(self._of_origins) > MOST_ORIGINS:
            self._of_origins.popitem(last=False)

    def count(self, origin: Origin | None, now: float) -> int:
        """Tell how many attempts from an address have failed; 0 for a peer without one."""
        minute = None if origin is None else self._of_origins.get(origin)
        return 0 if minute is None else minute.count(now)

    def excess(self, origin: Origin | None, failures: int, now: float) -> Excess | None:
        """Find the limit that another attempt would be over.

        Args:
            origin: The address of the peer, if it has one.
            failures: How many attempts of its connection have failed.
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
