"""HTTP as far as it comes before a WebSocket: one request, and at most one answer.

`request` reads what is asked, `answer` writes what it gets, `origin` says whose pages may ask, and
`forwarded` who asks where proxies stand in front. A connection carries one request: with its answer
it ends, or it becomes a WebSocket.
"""

from __future__ import annotations

from farcall._transport.http.answer import Answer, Rejection
from farcall._transport.http.forwarded import TrustedProxies
from farcall._transport.http.origin import NotAllowed, OriginPolicy
from farcall._transport.http.request import Request, read_request

__all__ = [
    "Answer",
    "OriginPolicy",
    "NotAllowed",
    "Rejection",
    "Request",
    "TrustedProxies",
    "read_request",
]
