"""Why a subscription may not be, in the words of the protocol."""

from __future__ import annotations

from typing import Final

from farcall._connection.link import Link
from farcall._connection.responses import Request
from farcall._protocol.messages import Error
from farcall.errors import ErrorCode

MOST_WORDS: Final = 200
"""Characters; what is wrong with a name may quote it, and the name is the peer's."""


def refuse(call: Request, path: str, message: str) -> None:
    """Answer a call whose parameters are wrong, and say where."""
    data = {"errors": [{"path": path, "message": message[:MOST_WORDS]}]}
    call.fail(Error.of(ErrorCode.INVALID_PARAMS, data))


def too_many(link: Link) -> Error:
    """Make the error for one subscription more than a peer may have."""
    data = {"limit": "subscriptions", "most": link.limits.subscriptions}
    return Error.of(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)
