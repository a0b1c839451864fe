"""WebSocket: the one place that knows trio-websocket and wsproto.

`handshake` opens a link, `transport` is what the rest of farcall sees of it; below that stand
`connection`, which is trio-websocket's as we need it, `frames`, which takes whole text out before
wsproto, `assembly`, which puts together what comes in pieces, `sending`, which keeps what leaves in
order, `line`, with or without TLS, and `wire`, the socket.
"""

from __future__ import annotations

from farcall._transport.websocket.handshake import Upgrade, connect_websocket
from farcall._transport.websocket.socket import LOST, Line, Wire, accept_tls
from farcall._transport.websocket.transport import WebSocketTransport

__all__ = [
    "LOST",
    "Line",
    "Upgrade",
    "WebSocketTransport",
    "Wire",
    "accept_tls",
    "connect_websocket",
]
