"""Who really asks, where a proxy stands in front.

X-Forwarded-For is what anybody may write, so it counts only from peers that the operator trusts.
Each proxy adds at its end whom it was asked by; so it is read from there, over those trusted, up to
the first who is not: what stands further to the left is that one's own word.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import attrs

from farcall._transport.http.origin import IpAddress, unmapped

IpNetwork: TypeAlias = IPv4Network | IPv6Network

UNIX: Final = "unix"
"""Stands for whoever connects over a Unix socket, which has no address."""

_PORT: Final = re.compile(r"(?<=\]):\d+$|^(?P<host>[^:]+):\d+$", re.ASCII)


@attrs.frozen
class TrustedProxies:
    """Those whose X-Forwarded-For counts; `TrustedProxies.of` makes it."""

    _networks: tuple[IpNetwork, ...] = ()
    _trusts_unix: bool = False

    @classmethod
    def of(cls, proxies: Collection[str]) -> TrustedProxies:
        """Trust these: addresses, networks such as ``10.0.0.0/8``, and ``unix``.

        Raises:
            ValueError: one of them is none.
        """
        networks = tuple(_network(text) for text in proxies if text != UNIX)
        return cls(networks, UNIX in proxies)

    def client_of(self, peer: IpAddress | None, forwarded: str) -> str | None:
        """Tell who asks.

        Args:
            peer: Who connected; None for a Unix socket.
            forwarded: The header X-Forwarded-For.

        Returns:
            The rightmost address that is not trusted, or else the leftmost one; None where the
            header does not count, or says nothing.
        """
        client: IpAddress | None = None
        is_trusted = self._trusts_unix if peer is None else self._trusts(unmapped(peer))
        for text in reversed(forwarded.split(",")):
            address = _address(text.strip())
            if not is_trusted or address is None:
                break
            client, is_trusted = address, self._trusts(address)
        return None if client is None else str(client)

    def _trusts(self, address: IpAddress) -> bool:
        return any(address in network for network in self._networks)


def _network(text: str) -> IpNetwork:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} in trusted_proxies is no address, no network such as 10.0.0.0/8, "
            f"and not {UNIX!r}: {error}"
        ) from None


def _address(text: str) -> IpAddress | None:
    """Read an address, with or without brackets and a port; some proxies add it."""
    host = _PORT.sub(lambda found: found["host"] or "", text).strip("[]")
    try:
        return unmapped(ip_address(host))
    except ValueError:
        return None
