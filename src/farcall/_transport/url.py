"""The URL of a WebSocket server (RFC 6455, section 3), parsed.

Besides ``ws://`` and ``wss://`` there is ``ws+unix:///path/of/socket:/path?query``, as in the npm
package ws: the path of a Unix socket, a colon, and the path and query of the request. A colon or a
question mark in the path of the socket is percent-encoded.

Errors and logs show neither the query of a URL nor what stands before an ``@``: both may be secret.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct

UNIX: Final = "ws+unix"
PORTS: Final = {"ws": 80, "wss": 443, UNIX: 0}
"""The schemes, with the default port of each."""

_NOT_IN_REQUEST: Final = re.compile(r"[^\x21-\x7e]+")
"""What a request line cannot contain (RFC 9112, section 3.2)."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_EXAMPLES: Final = (
    "ws://127.0.0.1:8765/path, wss://example.com or ws+unix:///run/service.sock:/path"
)


class WebSocketUrl(Struct, frozen=True):
    """The address of a server, and the path and query of the request."""

    scheme: str
    host: str
    """As in the URL: an IPv6 address has its brackets, and no zone."""
    port: int
    path: str
    query: str
    socket_path: str = ""
    """The path of a Unix socket, for ``ws+unix``."""
    zone: str = ""
    """The interface of a link-local IPv6 address (RFC 4007); it has a meaning here alone."""

    @classmethod
    def parse(cls, url: str) -> WebSocketUrl:
        """Parse a URL.

        What a request line cannot contain, such as spaces and letters beyond ASCII, is
        percent-encoded, as in browsers.

        Raises:
            ValueError: it is not a WebSocket URL; shows examples.
        """
        parts = _split(url)
        if "@" in parts.netloc:
            raise ValueError(
                "a WebSocket URL takes no user or password, such as the one before the @ here;"
                " send them by headers=, as in headers={'Authorization': 'Bearer ...'}, or log in"
                " by login="
            )
        if parts.fragment:
            raise ValueError(
                f"{_safe(url)}: a WebSocket URL has no fragment; write %23 for a # in a path"
            )
        parsed = _parse_unix(parts) if parts.scheme == UNIX else _parse_tcp(parts)
        if parsed is None:
            raise ValueError(f"{_safe(url)} is not a URL such as {_EXAMPLES}")
        return parsed

    @property
    def is_secure(self) -> bool:
        """Whether it has TLS."""
        return self.scheme == "wss"

    @property
    def authority(self) -> str:
        """The Host header: without the port if that is the default of the scheme."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The host as in a certificate."""
        return self.host.strip("[]")

    @property
    def address(self) -> str:
        """The host as it is looked up, with its zone."""
        return f"{self.name}%{self.zone}" if self.zone else self.name

    @property
    def target(self) -> str:
        """The path and query, as in a request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The URL for messages and logs: without its query, which may hold secrets."""
        if self.socket_path:
            return f"{unix_url(self.socket_path)}:{self.path}"
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{_bracketed(self.address)}{port}{self.path}"


def tcp_url(scheme: str, host: str, port: int) -> str:
    """Return the URL of an address, without a path; an IPv6 address may have a zone after a %."""
    return f"{scheme}://{_bracketed(host)}:{port}"


def unix_url(socket_path: str) -> str:
    """Return the URL of a Unix socket, without a path after it."""
    return f"{UNIX}://{quote(socket_path)}"


def _bracketed(host: str) -> str:
    # RFC 6874, section 2: the percent sign before a zone is itself percent-encoded.
    return f"[{host.replace('%', '%25', 1)}]" if ":" in host else host


def _split(url: str) -> SplitResult:
    """Split a URL; `urlsplit` drops some characters silently, and its errors show secrets."""
    if _CONTROL.search(url) or url != url.strip():
        raise ValueError(
            "a WebSocket URL has no control characters, such as the end of a line, and no white"
            " space at its ends"
        )
    try:
        url.encode()
        return urlsplit(url)
    except UnicodeEncodeError:
        raise ValueError("a WebSocket URL has no lone surrogates") from None
    except ValueError:  # brackets without an IPv6 address, or strange letters in the host
        raise ValueError(f"{_safe(url)} is not a URL such as {_EXAMPLES}") from None


def _safe(url: str) -> str:
    """Return what an error may show of a malformed URL, which may contain a secret anywhere."""
    start = re.split(r"[?#]", url, maxsplit=1)[0]
    scheme, colon, rest = start.partition(":")
    if "@" in url or (colon and not rest.startswith("//")):
        return f"{scheme}:..." if colon and "@" not in scheme else "this"
    authority, slash, path = rest.removeprefix("//").partition("/")
    host, is_there, port = authority.rpartition(":")
    # In the place of a port may stand a password, whose @ was forgotten.
    if is_there and not (port.isdecimal() or port.endswith("]")):
        authority = f"{host}:..."
    return repr(f"{scheme}://{authority}{slash}{path}" if colon else scheme)


def _encoded(text: str) -> str:
    return _NOT_IN_REQUEST.sub(lambda found: quote(found[0]), text)


def _parse_tcp(parts: SplitResult) -> WebSocketUrl | None:
    port = _port(parts)
    if parts.scheme not in PORTS or not parts.hostname or port is None:
        return None
    name, zone = parts.hostname, ""
    if ":" in name:
        name, _, zone = name.partition("%")
        # RFC 6874, section 2: the percent sign before a zone is percent-encoded, or should be.
        zone = unquote(zone.removeprefix("25")) if len(zone) > 2 else zone
    return WebSocketUrl(
        parts.scheme,
        _bracketed(name),
        port,
        _encoded(parts.path) or "/",
        _encoded(parts.query),
        zone=zone,
    )


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:  # not a number, or not that of a port
        return None
    return PORTS.get(parts.scheme) if port is None else port


def _parse_unix(parts: SplitResult) -> WebSocketUrl | None:
    socket_path, _, path = parts.path.partition(":")
    path = path or "/"
    if parts.netloc or len(socket_path) < 2 or not path.startswith("/"):
        return None
    # Host has no meaning for a Unix socket; the npm package ws and curl send localhost.
    query = _encoded(parts.query)
    return WebSocketUrl(UNIX, "localhost", 0, _encoded(path), query, unquote(socket_path))
