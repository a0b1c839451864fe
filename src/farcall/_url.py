"""The URL of a WebSocket server (RFC 6455, section 3), taken apart."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs


@attrs.frozen
class WebSocketUrl:
    """Where a server is, and what is asked of it."""

    host: str
    port: int
    path: str
    query: str

    @classmethod
    def parse(cls, url: str) -> WebSocketUrl:
        """Take a URL apart.

        Raises:
            ValueError: it is no WebSocket URL; says what one looks like.
        """
        parts = urlsplit(url)
        if parts.scheme == "wss":
            raise ValueError(f"{url!r}: TLS (wss://) is not there yet; use ws://")
        if parts.scheme != "ws" or not parts.hostname:
            raise ValueError(f"{url!r} is no URL such as ws://127.0.0.1:8765/path")
        if parts.fragment or parts.username:
            raise ValueError(f"{url!r}: a WebSocket URL has no fragment, and here no user")
        return cls(parts.hostname, parts.port or 80, parts.path or "/", parts.query)

    @property
    def authority(self) -> str:
        """What the Host header says; without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What the request line asks for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The URL for messages and logs: without its query, which may hold secrets."""
        return f"ws://{self.authority}{self.path}"
