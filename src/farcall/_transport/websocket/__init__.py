"""WebSocket: the one place that knows trio-websocket and wsproto.

`handshake` opens a link, and `transport` is what the rest of farcall sees of it. Below are
`connection`, which adapts trio-websocket, `frames`, which takes whole text frames before wsproto,
`assembly`, which joins fragments, `sending`, which keeps outgoing bytes in order, `socket`, and
`tls` on it.
"""

from __future__ import annotations

from farcall._transport.websocket.handshake import Upgrade, connect_websocket
from farcall._transport.websocket.socket import LOST, GuardedSocket
from farcall._transport.websocket.tls import ByteStream, accept_tls, socket_below
from farcall._transport.websocket.transport import WebSocketTransport

__all__ = [
    "LOST",
    "ByteStream",
    "GuardedSocket",
    "Upgrade",
    "WebSocketTransport",
    "accept_tls",
    "connect_websocket",
    "socket_below",
]
