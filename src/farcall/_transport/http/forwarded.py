"""The address of a client behind trusted proxies.

Anybody may send X-Forwarded-For, so it counts only from peers that the operator trusts. Each proxy
appends the address that connected to it. So the header is read from its end, over trusted
addresses, to the first that is not trusted: what stands left of that is the client's own claim.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from farcall._transport.http.origin import IpAddress, unmapped

IpNetwork: TypeAlias = IPv4Network | IPv6Network

UNIX: Final = "unix"
"""Stands for all peers on a Unix socket, which have no address."""

_PORT: Final = re.compile(r"(?<=\]):\d+$|^(?P<host>[^:]+):\d+$", re.ASCII)


class TrustedProxies(Struct, frozen=True):
    """The peers whose X-Forwarded-For counts; `TrustedProxies.of` reads them."""

    _networks: tuple[IpNetwork, ...] = ()
    _trusts_unix: bool = False

    @classmethod
    def of(cls, proxies: Collection[str]) -> TrustedProxies:
        """Trust addresses, networks such as ``10.0.0.0/8``, and ``unix``.

        Raises:
            ValueError: one of them is malformed.
        """
        networks: list[IpNetwork] = []
        for text in proxies:
            try:
                if text != UNIX:
                    networks.append(ip_network(text))
            except ValueError as error:
                raise ValueError(
                    f"{text!r} in trusted_proxies is not an address, a network such as 10.0.0.0/8, "
                    f"or {UNIX!r}: {error}"
                ) from None
        return cls(tuple(networks), UNIX in proxies)

    def client_of(self, peer: IpAddress | None, forwarded: str) -> str | None:
        """Find the client.

        Args:
            peer: The address that connected; None for a Unix socket.
            forwarded: The header X-Forwarded-For.

        Returns:
            The rightmost address that is not trusted, or else the leftmost one; None if the header
            does not count, or is empty.
        """
        if not forwarded:
            return None
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


def _address(text: str) -> IpAddress | None:
    """Parse an address; some proxies add brackets and a port."""
    host = _PORT.sub(lambda found: found["host"] or "", text).strip("[]")
    try:
        return unmapped(ip_address(host))
    except ValueError:
        return None
