"""WebSocket: the one place that knows trio-websocket and wsproto.

`handshake` opens a link, `transport` is what the rest of farcall sees of it; below that stand
`connection`, which is trio-websocket's as we need it, `assembly`, which puts its messages together,
and `wire`, the socket.
"""

from __future__ import annotations

from farcall._websocket.handshake import (
    Admit,
    Rejection,
    accept_websocket,
    connect_websocket,
)
from farcall._websocket.transport import WebSocketTransport

__all__ = [
    "Admit",
    "Rejection",
    "WebSocketTransport",
    "accept_websocket",
    "connect_websocket",
]
