"""Who may subscribe to what: asked at each subscription, and again when the peer logs in or out."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final, cast

from farcall._connection.link import Link
from farcall._connection.responses import Request
from farcall._context import CallContext, Connection
from farcall._identity import Identity
from farcall._limits import exceeded
from farcall._nursery import ends_program
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall.errors import ErrorCode

logger = logging.getLogger("farcall")


class SubscriptionPolicy:
    """Decide on the subscriptions of one connection.

    Args:
        connection: As what decides sees it.
        identity: Who its peer is.
    """

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity
        self.membership = identity.membership
        """By which addresses the subscriber is reached."""

    def may(self, source: SignalEndpoint) -> bool:
        """Say whether the peer has logged in as the signal asks for."""
        return self._identity.may(source.spec.access)

    def forbidden(self, source: SignalEndpoint) -> Error:
        """Say which login the peer lacks."""
        return self._identity.refusal(source.spec.access, ErrorCode.EVENT_FORBIDDEN)

    def _not_allowed(self) -> Error:
        reason = "the service does not allow this subscription"
        return self._identity.forbidden(ErrorCode.EVENT_FORBIDDEN, reason)

    def refusal(self, source: SignalEndpoint, key: bytes | None = None) -> Error | None:
        """Say why a subscription may not be, or None where it may.

        Args:
            source: The signal.
            key: What it is filtered by, as JSON; None for everything.
        """
        if not self.may(source):
            return self.forbidden(source)
        if source.allow is None:
            return None
        try:
            is_allowed = self._ask(source, None if key is None else source.state.decode_key(key))
        except BaseException as exc:  # whatever it raises refuses the subscription
            if ends_program(exc):
                raise
            return self._failed(source, exc)
        return None if is_allowed else self._not_allowed()

    def _ask(self, source: SignalEndpoint, key: Any) -> bool:
        assert source.allow is not None
        call = CallContext(
            self._connection,
            source.spec.wire_name,
            "subscription",
            is_served=True,
            principal=self._identity.principal,
            read=lambda: {"key": key},
        )
        answer = cast("object", source.allow(call, key))
        # Anything else that is true might be a coroutine, which nobody has run.
        if not isinstance(answer, bool):
            raise TypeError(f"allow= answers True or False, and gave a {type(answer).__name__}")
        return answer

    def _failed(self, source: SignalEndpoint, exc: BaseException) -> Error:
        id = secrets.token_hex(8)
        logger.error("allow= of %s failed (id %s)", source.spec.wire_name, id, exc_info=exc)
        return Error.of(ErrorCode.INTERNAL_ERROR, {"id": id})


MOST_WORDS: Final = 200
"""Characters; what is wrong with a name may quote it, and the name is the peer's."""


def refuse(call: Request, path: str, message: str) -> None:
    """Answer a call whose parameters are wrong, and say where."""
    data = {"errors": [{"path": path, "message": message[:MOST_WORDS]}]}
    call.fail(Error.of(ErrorCode.INVALID_PARAMS, data))


def too_many(link: Link) -> Error:
    """Make the error for one subscription more than a peer may have."""
    data = exceeded("subscriptions", link.limits.subscriptions)
    return Error.of(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)
