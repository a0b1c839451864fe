"""HTTP before a WebSocket: one request on a connection, and at most one response.

`request` reads the request, `response` writes the response, `origin` decides which web pages may
connect, and `forwarded` finds the client behind trusted proxies. A connection ends with its
response, or it becomes a WebSocket.
"""

from __future__ import annotations

from farcall._transport.http.forwarded import TrustedProxies
from farcall._transport.http.origin import NotAllowed, OriginPolicy
from farcall._transport.http.request import Request, read_request
from farcall._transport.http.response import Rejection, Response

__all__ = [
    "Response",
    "OriginPolicy",
    "NotAllowed",
    "Rejection",
    "Request",
    "TrustedProxies",
    "read_request",
]
