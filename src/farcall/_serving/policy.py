"""Which subscriptions are allowed: decided for each, and again when the peer logs in or out."""

from __future__ import annotations

import logging
import secrets
from typing import Final, cast

from farcall._connection.link import Link
from farcall._connection.responses import Request
from farcall._context import CallContext, Connection
from farcall._identity import Identity
from farcall._limits import exceeded
from farcall._nursery import ends_program
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall._usage.options import kind_of
from farcall.errors import ErrorCode

logger = logging.getLogger("farcall")


class SubscriptionPolicy:
    """Decide on the subscriptions of one connection.

    Args:
        connection: The connection, as ``allow=`` of a signal sees it.
        identity: Its peer's.
    """

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity
        self.membership = identity.membership
        """The addresses of the subscriber."""

    def may(self, source: SignalEndpoint) -> bool:
        """Return whether the peer has the login that the signal requires."""
        return self._identity.may(source.spec.access)

    def forbidden(self, source: SignalEndpoint) -> Error:
        """Make the error that names the login that the peer lacks."""
        return self._identity.refusal(source.spec.access, ErrorCode.EVENT_FORBIDDEN)

    def refusal(self, source: SignalEndpoint, key: bytes | None = None) -> Error | None:
        """Return the error for a subscription that is not allowed, or None.

        Args:
            source: The signal.
            key: Filters its values, as JSON; None for all values.
        """
        if not self.may(source):
            return self.forbidden(source)
        if source.allow is None:
            return None
        try:
            is_allowed = self._ask(source, None if key is None else source.state.key.decode(key))
        except BaseException as exc:  # any exception of the user's refuses the subscription
            if ends_program(exc):
                raise
            id = secrets.token_hex(8)
            logger.error("allow= of %s failed (id %s)", source.spec.wire_name, id, exc_info=exc)
            return Error.of(ErrorCode.INTERNAL_ERROR, {"id": id})
        if is_allowed:
            return None
        reason = "the service does not allow this subscription"
        return self._identity.forbidden(ErrorCode.EVENT_FORBIDDEN, reason)

    def _ask(self, source: SignalEndpoint, key: object) -> bool:
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
        # Another true value may be the coroutine of an async function that nothing has run.
        if not isinstance(answer, bool):
            raise TypeError(f"allow= returns True or False, not {kind_of(answer)}")
        return answer


MAX_MESSAGE: Final = 200
"""Characters of a message, which may quote a name that the peer chose."""


def fail_params(call: Request, path: str, message: str) -> None:
    """Answer a call whose parameters are wrong, with the path of the mistake."""
    data = {"errors": [{"path": path, "message": message[:MAX_MESSAGE]}]}
    call.fail(Error.of(ErrorCode.INVALID_PARAMS, data))


def too_many(link: Link) -> Error:
    """Make the error for a subscription that is over the limit."""
    data = exceeded("subscriptions", link.limits.subscriptions)
    return Error.of(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)
