"""WebSocket: the one place that knows trio-websocket and wsproto.

`handshake` opens a link, and `transport` is what the rest of farcall sees of it. Below are
`connection`, which reads what is usual: whole messages (`frames`), pings and pongs (`control`);
`engine`, which is trio-websocket on wsproto, for all else; `assembly`, which joins fragments;
`sending`, which keeps outgoing bytes in order; `socket`, `tls` on it, and `heap`.
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
