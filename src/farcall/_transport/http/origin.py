"""The check of Origin and Host: browsers let every page open a WebSocket to every server.

A browser sends the site of the page in Origin, and the name that it looked up in Host. Two attacks
follow:

- A foreign page connects, and the browser adds the user's cookies. So an Origin must be that of
  this server, which is Host, or be allowed.
- A page of ``evil.example`` has its own name resolve to 127.0.0.1 (DNS rebinding). Then Origin and
  Host agree. But servers on the loopback interface have few names, so Host is checked too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from msgspec import Struct

from farcall._transport.http.response import Rejection

IpAddress: TypeAlias = IPv4Address | IPv6Address

_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[^\s\[\]:/?#@,]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_ORIGIN: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]+)", re.ASCII)
_DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

NULL_ORIGIN: Final = "null"
"""What browsers send for a page without a site: from a file, in a sandbox, redirected."""


MOST_SHOWN: Final = 100
"""Characters of an origin, or of a host, in a log line."""


class NotAllowed(Rejection):
    """Refuse a page, or a host name, that the operator could allow.

    Args:
        reason: For the peer.
        hint: For the operator; it has a place for the value.
        value: The header that was refused.
    """

    def __init__(self, reason: str, hint: str, value: str) -> None:
        super().__init__(403, reason)
        self.hint = hint.format(ascii(value[:MOST_SHOWN]))


class Authority(Struct, frozen=True):
    """A host, and its port if there is one."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """Parse an authority; None if malformed."""
        found = _AUTHORITY.fullmatch(text.lower())
        if found is None:
            return None
        port = found["port"]
        return cls(found["host"], None if port is None else int(port))

    def at(self, default_port: int | None) -> Authority:
        return self if self.port is not None else Authority(self.host, default_port)

    @property
    def is_loopback(self) -> bool:
        """Whether it always means this machine."""
        if self.host == "localhost":
            return True
        try:
            return is_loopback(ip_address(self.host.strip("[]")))
        except ValueError:
            return False


class Origin(Struct, frozen=True):
    """Scheme, host and port of a page (RFC 6454)."""

    scheme: str
    authority: Authority
    """With its port, if the scheme has a default."""

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Parse an origin; None if malformed, and for ``null``."""
        found = _ORIGIN.fullmatch(text.lower())
        authority = found and Authority.parse(found["authority"])
        if found is None or authority is None:
            return None
        return cls(found["scheme"], authority.at(_DEFAULT_PORTS.get(found["scheme"])))


class OriginPolicy(Struct, frozen=True):
    """Decides by Origin and Host; `OriginPolicy.of` reads what an operator allows."""

    _origins: frozenset[Origin]
    _hosts: frozenset[Authority]
    _allows_null: bool = False

    @classmethod
    def of(cls, origins: Collection[str] = (), hosts: Collection[str] = ()) -> OriginPolicy:
        """Allow these, besides those that are always allowed.

        Args:
            origins: Such as ``https://example.com``, or ``null``.
            hosts: Such as ``example.com``, which means every port, or ``example.com:8765``.

        Raises:
            ValueError: one of them is malformed.
        """
        return cls(
            frozenset(_origin(text) for text in origins if text != NULL_ORIGIN),
            frozenset(map(_host, hosts)),
            NULL_ORIGIN in origins,
        )

    def check(
        self, headers: Mapping[str, str], local: IpAddress | None, *, is_secure: bool = False
    ) -> None:
        """Check a request.

        Args:
            headers: With names in lower case.
            local: The address of this side; None for a Unix socket, which no page can reach.
            is_secure: Whether it came over TLS.

        Raises:
            Rejection: 403, with the reason.
        """
        host = Authority.parse(headers.get("host", ""))
        if local is not None and is_loopback(local) and not self._is_known(host):
            raise NotAllowed(
                "this server has no such host name; the operator can add it to allowed_hosts",
                "a client asked for the host {}, which is not one of this server; if it is, add it"
                " to allowed_hosts",
                headers.get("host", ""),
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_welcome(origin, host, is_secure=is_secure):
            raise NotAllowed(
                "pages of this origin may not connect; the operator can add it to allowed_origins",
                "pages of {} may not connect, and get no more than the close code 1006; to allow"
                " them, add it to allowed_origins",
                origin,
            )

    def _is_known(self, host: Authority | None) -> bool:
        if host is None:
            return False
        return host.is_loopback or not self._hosts.isdisjoint({host, Authority(host.host, None)})

    def _is_welcome(self, text: str, host: Authority | None, *, is_secure: bool) -> bool:
        if text == NULL_ORIGIN:
            return self._allows_null
        origin = Origin.parse(text)
        if origin is None:
            return False
        return origin in self._origins or _is_own(origin, host, is_secure=is_secure)


def _is_own(origin: Origin, host: Authority | None, *, is_secure: bool) -> bool:
    """Whether a page is from this server.

    A Host without a port means the default of the scheme. Without TLS, that is the scheme of the
    page, for a proxy may have terminated TLS. With TLS it is https: otherwise a page loaded without
    TLS, which anybody on the way may have forged, would pass.
    """
    default = _DEFAULT_PORTS["https"] if is_secure else _DEFAULT_PORTS.get(origin.scheme)
    return host is not None and default is not None and origin.authority == host.at(default)


def is_loopback(address: IpAddress) -> bool:
    """Whether an address is of the loopback interface, also as IPv4 in IPv6."""
    return unmapped(address).is_loopback


def unmapped(address: IpAddress) -> IpAddress:
    """Return an IPv4 address for an IPv6 address that stands for one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _origin(text: str) -> Origin:
    _check_letters(text, "allowed_origins")
    origin = Origin.parse(text)
    if origin is None or not _is_port(origin.authority.port):
        raise ValueError(
            f"{text!r} in allowed_origins is not an origin such as https://example.com"
        )
    if origin.scheme in _PAGES:
        # A page may open a ws:// URL, but is never at one.
        write = text.lower().replace(origin.scheme, _PAGES[origin.scheme], 1)
        raise ValueError(
            f"{text!r} in allowed_origins is not the origin of a page; write {write!r}"
        )
    return origin


def _host(text: str) -> Authority:
    _check_letters(text, "allowed_hosts")
    host = Authority.parse(text)
    if host is None or not _is_port(host.port):
        raise ValueError(f"{text!r} in allowed_hosts is not a host such as example.com:8765")
    return host


_PAGES: Final[Mapping[str, str]] = {"ws": "http", "wss": "https"}


def _is_port(port: int | None) -> bool:
    return port is None or port <= 0xFFFF


def _check_letters(text: str, option: str) -> None:
    """Refuse a name that no request could match."""
    if "*" in text:
        problem = f"{text!r} in {option} has a star, but patterns are not supported"
        raise ValueError(f"{problem}; write each name that is allowed")
    if not text.isascii():
        problem = f"{text!r} in {option} has letters beyond ASCII, which no request has"
        raise ValueError(f"{problem}; write the name as it is looked up, such as xn--bcher-kva.de")
