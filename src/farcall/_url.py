"""The URL of a WebSocket server (RFC 6455, section 3), taken apart.

Beside ``ws://`` and ``wss://`` there is ``ws+unix:///path/of/socket:/path?query``, as the npm
package ws has it: the path of a Unix socket, and behind a colon what is asked of who listens there.
A colon or a question mark in the path of the socket is written with a percent sign.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

import attrs

UNIX: Final = "ws+unix"
PORTS: Final = {"ws": 80, "wss": 443, UNIX: 0}
"""The schemes, with the port that each means where none is named."""


@attrs.frozen
class WebSocketUrl:
    """Where a server is, and what is asked of it."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    socket_path: str = ""
    """The path of a Unix socket, for ``ws+unix``."""

    @classmethod
    def parse(cls, url: str) -> WebSocketUrl:
        """Take a URL apart.

        Raises:
            ValueError: it is no WebSocket URL; says what one looks like.
        """
        parts = urlsplit(url)
        if parts.fragment or parts.username:
            raise ValueError(f"{url!r}: a WebSocket URL has no fragment, and here no user")
        parsed = _parse_unix(parts) if parts.scheme == UNIX else _parse_tcp(parts)
        if parsed is None:
            raise ValueError(
                f"{url!r} is no URL such as ws://127.0.0.1:8765/path, wss://example.com "
                "or ws+unix:///run/service.sock:/path"
            )
        return parsed

    @property
    def is_secure(self) -> bool:
        """Whether it asks for TLS."""
        return self.scheme == "wss"

    @property
    def authority(self) -> str:
        """What the Host header says; without the port where it is the scheme's own."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The host as it is looked up, and as certificates name it."""
        return self.host.strip("[]")

    @property
    def target(self) -> str:
        """What the request line asks for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The URL for messages and logs: without its query, which may hold secrets."""
        if self.socket_path:
            return f"{unix_url(self.socket_path)}:{self.path}"
        return f"{self.scheme}://{self.authority}{self.path}"


def tcp_url(scheme: str, host: str, port: int) -> str:
    """Write the URL of an address, without a path."""
    return f"{scheme}://{_bracketed(host)}:{port}"


def unix_url(socket_path: str) -> str:
    """Write the URL of a Unix socket, without a path behind it."""
    return f"{UNIX}://{quote(socket_path)}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parse_tcp(parts: SplitResult) -> WebSocketUrl | None:
    port = _port(parts)
    if parts.scheme not in PORTS or not parts.hostname or port is None:
        return None
    host = _bracketed(parts.hostname)
    return WebSocketUrl(parts.scheme, host, port, parts.path or "/", parts.query)


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:  # no number, or none of a port
        return None
    return PORTS.get(parts.scheme) if port is None else port


def _parse_unix(parts: SplitResult) -> WebSocketUrl | None:
    socket_path, _, path = parts.path.partition(":")
    path = path or "/"
    if parts.netloc or len(socket_path) < 2 or not path.startswith("/"):
        return None
    # Host has no meaning for a Unix socket; that of the npm package ws, and of curl, is localhost.
    return WebSocketUrl(UNIX, "localhost", 0, path, parts.query, unquote(socket_path))
