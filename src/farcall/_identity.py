"""The principal of a connection's peer: who it is, for how long, and its rooms."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from farcall import _principal as _access
from farcall._connection.link import Link
from farcall._contract.spec import Access
from farcall._principal import Principal
from farcall._protocol.messages import Error
from farcall._signals.audience import Membership, Room, User
from farcall.errors import ErrorCode

logger = logging.getLogger("farcall")


class Identity:
    """The principal of one link: one at a time, or none.

    Args:
        link: The link.
    """

    def __init__(self, link: Link) -> None:
        self.principal: Principal | None = None
        self.membership = Membership()
        self.on_change: Callable[[], None] = _nothing
        """Called after the principal has changed."""
        self.on_left: Callable[[], None] = _nothing
        """Called after the peer has left a room."""
        self._link = link
        self._login = trio.CancelScope()
        """Around the task that waits until the login expires."""

    def begin(self) -> None:
        """Start with the principal of the handshake."""
        if self._link.endpoint.principal is not None:
            self.become(self._link.endpoint.principal)

    def may(self, access: Access) -> bool:
        """Tell whether the peer has the access that a member needs."""
        return _access.may(self.principal, access)

    def refusal(self, access: Access, code: ErrorCode) -> Error:
        """Make the error for a peer that may not use a member."""
        return self.forbidden(code, _access.why_not(self.principal, access))

    def forbidden(self, code: ErrorCode, reason: str) -> Error:
        """Make such an error; a plain peer gets that of rpc-websockets, without the reason."""
        return Error.of(code, {"reason": reason} if self._link.protocol.is_greeted else None)

    def revoked(self, reason: str) -> Error:
        """Make the error of a call that has begun and may not go on."""
        data = {"reason": reason, "may_have_run": True}
        code = ErrorCode.METHOD_FORBIDDEN
        return Error.of(code, data if self._link.protocol.is_greeted else None)

    def still_may(self, principal: Principal | None, access: Access) -> bool:
        """Tell whether a call that the peer made as `principal` may begin, or go on, now.

        A login under the same name takes over the calls before it.
        """
        now = self.principal
        if now is principal:
            return True
        is_same = now is not None and principal is not None and now.name == principal.name
        return is_same and _access.may(now, access)

    def become(self, principal: Principal) -> None:
        """Set the principal, until its login expires."""
        self._replace(principal)
        if principal.expires_after is not None:
            self._link.start_soon(self._expire, principal, principal.expires_after, self._login)

    def drop(self) -> None:
        """Log the peer out."""
        if self.principal is not None:
            self._replace(None)

    def leave(self, room: Room) -> None:
        """Remove the peer from a room."""
        self.membership.discard(room)
        self.on_left()

    def _replace(self, principal: Principal | None) -> None:
        self._login.cancel()
        self._login = trio.CancelScope()
        if self.principal is not None:
            self.membership.discard(User(self.principal.name))
        self.principal = principal
        if principal is not None:
            self.membership.add(User(principal.name))
        self.on_change()

    async def _expire(self, principal: Principal, seconds: float, login: trio.CancelScope) -> None:
        with login:
            await trio.sleep(max(0, seconds))
        # It may have expired in the same step in which another principal took over.
        if not login.cancel_called:
            logger.info("%s: the login of %r has expired", self._link.endpoint.peer, principal.name)
            self.drop()


def _nothing() -> None:
    """Until a dispatcher sets a function."""
