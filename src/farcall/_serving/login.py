"""Authentication of peers: in the handshake, and by each ``rpc.login``.

A login has a task of its own, because a good hash of a password takes long. A connection has one at
a time, the process has few, and few may fail. The response is true or false; only the log has the
reason of a refusal.

Handshakes wait in another line than logins, which therefore keep no new connection out.
"""

from __future__ import annotations

import logging
import math
from contextlib import AbstractAsyncContextManager
from functools import cached_property, partial

import attrs
import trio

from farcall._codec import Faults, decode_json
from farcall._connection.link import Link
from farcall._connection.responses import Request, cancelled, shutting_down
from farcall._fifo import RankedLimiter
from farcall._identity import Identity
from farcall._limits import Limits, exceeded
from farcall._nursery import let_leave
from farcall._principal import Authenticate, Principal, authenticated, read_credentials
from farcall._protocol.messages import Error, Owner
from farcall._quota import CallQuota
from farcall._serving.deadline import Deadline
from farcall._serving.failed_logins import FailedLogins, Origin, origin_of
from farcall._serving.intercepted import Start
from farcall._serving.options import LinkOptions
from farcall._transport.http import Rejection
from farcall._transport.transport import Endpoint
from farcall.errors import CloseCode, ErrorCode, Unauthorized

logger = logging.getLogger("farcall")


@attrs.frozen
class Logins:
    """How the peers of one server log in, and the logins that have failed."""

    authenticate: Authenticate
    limits: Limits
    failed_logins: FailedLogins = attrs.field(init=False)
    failed_handshakes: FailedLogins = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "failed_logins", FailedLogins(self.limits))
        object.__setattr__(self, "failed_handshakes", FailedLogins(self.limits))

    def turn(
        self, line: trio.lowlevel.RunVar[RankedLimiter], failures: int
    ) -> AbstractAsyncContextManager[None]:
        """Wait until `authenticate` may be called; peers with fewer failures come first."""
        try:
            limiter = line.get()
        except LookupError:
            line.set(limiter := RankedLimiter())
        return limiter.one_of(self.limits.logins, failures)


_logins: trio.lowlevel.RunVar[RankedLimiter] = trio.lowlevel.RunVar("farcall logins")
"""The logins of all servers of this process."""

_handshakes: trio.lowlevel.RunVar[RankedLimiter] = trio.lowlevel.RunVar("farcall handshakes")
"""The handshakes of all servers of this process."""


async def identify(logins: Logins | None, endpoint: Endpoint) -> Principal | None:
    """Authenticate a peer by its handshake.

    Raises:
        Rejection: 401, its credentials are refused; 429, too many were.
        Exception: any other exception of ``authenticate``.
    """
    if logins is None:
        return None
    credentials = read_credentials(endpoint.headers, endpoint.query)
    origin, failed = origin_of(endpoint.peer), logins.failed_handshakes
    async with logins.turn(_handshakes, failed.count(origin, trio.current_time())):
        excess = failed.excess(origin, 0, trio.current_time())
        if excess is not None:
            logger.debug("%s: refused a handshake (the limit %s)", endpoint.peer, excess.limit)
            problem = f"too many handshakes failed; try again later (the limit {excess.limit})"
            raise Rejection(429, problem, {"Retry-After": str(math.ceil(excess.seconds))})
        try:
            return await authenticated(logins.authenticate, credentials)
        except Unauthorized as exc:
            failed.add(origin, trio.current_time())
            logger.info("%s: refused a handshake: %s", endpoint.peer, exc)
            # RFC 9110, section 15.5.2: a 401 names a scheme.
            headers = {"WWW-Authenticate": "Bearer"}
            raise Rejection(401, "this server requires valid credentials", headers) from None


@attrs.define(eq=False)
class _Attempt(Owner):
    call: Request
    params: bytes
    deadline: Deadline
    scope: trio.CancelScope
    reason: str | None = None

    def cancel(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.scope.cancel()

    def unanswered(self) -> Error:
        """Make the response to a login that was cancelled, or ran out of time."""
        if trio.current_time() < self.deadline.at:
            return cancelled(self.reason)
        return Error.of(ErrorCode.DEADLINE_EXCEEDED, {"by": self.deadline.by})


class LoginHandler:
    """The logins of one connection.

    Args:
        link: The connection.
        identity: Its peer's, which a login changes.
        logins: How peers log in; None where they cannot.
        options: Of the link; `max_call_seconds` limits a login.
        quota: Logins count as calls.
        start: Starts a task of the link.
    """

    def __init__(
        self,
        link: Link,
        identity: Identity,
        logins: Logins | None,
        options: LinkOptions,
        *,
        quota: CallQuota,
        start: Start,
    ) -> None:
        self._link = link
        self._identity = identity
        self._logins = logins
        self._longest = options.max_call_seconds
        self._quota = quota
        self._start = start
        self._failed = 0
        self._attempts: dict[_Attempt, None] = {}
        self._turn: trio.Lock | None = None

    @cached_property
    def _origin(self) -> Origin | None:
        # Most peers never log in.
        return origin_of(self._link.endpoint.peer)

    def __len__(self) -> int:
        """Count the logins without a response."""
        return len(self._attempts)

    def on_request(self, call: Request) -> None:
        """Begin a login, or refuse it."""
        if call.params is None:
            call.fail(Error.of(ErrorCode.PARAMS_NOT_FOUND))
        elif self._logins is None:
            call.fail(Error.of(ErrorCode.METHOD_NOT_FOUND))
        elif not self._link.lifecycle.is_staying:
            call.fail(shutting_down())
        elif len(call.params) > self._logins.limits.login_bytes:
            data = {"limit": "login_bytes", "bytes": self._logins.limits.login_bytes}
            call.fail(Error.of(ErrorCode.INVALID_REQUEST, data))
        elif len(self._attempts) >= self._logins.limits.failed_logins:
            # If all of these fail, the connection ends: more at once are of no use.
            most = self._logins.limits.failed_logins
            call.fail(Error.of(ErrorCode.BUSY, exceeded("failed_logins", most)))
        elif (excess := self._excess(self._logins)) is not None:
            call.fail(excess)
        elif (limit := self._quota.excess(len(call.params))) is not None:
            call.fail(Error.of(ErrorCode.BUSY, {"limit": limit}))
        else:
            self._begin(call, call.params, self._logins)

    def cancel_all(self) -> None:
        for attempt in self._attempts:
            attempt.cancel("shutdown")

    def _begin(self, call: Request, params: bytes, logins: Logins) -> None:
        deadline = Deadline.of(call, self._longest)
        attempt = _Attempt(call, params, deadline, trio.CancelScope(deadline=deadline.at))
        call.owner = attempt
        self._attempts[attempt] = None
        self._quota.take(len(params))
        self._start(partial(self._serve, attempt, logins))

    async def _serve(self, attempt: _Attempt, logins: Logins) -> None:
        outcome: bytes | Error | None = None
        try:
            with attempt.scope:
                self._turn = self._turn or trio.Lock()
                async with self._turn, logins.turn(_logins, self._failures(logins)):
                    outcome = await self._try(attempt, logins)
        finally:
            del self._attempts[attempt]
            self._quota.release(len(attempt.params))
        if self._link.close_reason is not None:
            self._link.responses.note_ended()
        elif outcome is None:
            attempt.call.fail(attempt.unanswered())
        elif isinstance(outcome, Error):
            attempt.call.fail(outcome)
        else:
            attempt.call.respond(outcome)

    def _failures(self, logins: Logins) -> int:
        """Count the failures of this connection, and the recent ones of its address."""
        return self._failed + logins.failed_logins.count(self._origin, trio.current_time())

    def _excess(self, logins: Logins) -> Error | None:
        """Make the error for a peer that must wait because too many logins have failed."""
        now = trio.current_time()
        excess = logins.failed_logins.excess(self._origin, self._failed, now)
        if excess is None:
            return None
        logger.debug("%s: refused a login (the limit %s)", self._link.endpoint.peer, excess.limit)
        data = exceeded(excess.limit, excess.most)
        data["retry_after_ms"] = math.ceil(excess.seconds * 1000)
        return Error.of(ErrorCode.BUSY, data)

    async def _try(self, attempt: _Attempt, logins: Logins) -> bytes | Error | None:
        """Perform a login; return None if the connection ends instead."""
        # It has waited for its turn, and others may have failed since.
        if (excess := self._excess(logins)) is not None:
            return excess
        most = logins.limits.failed_logins
        if self._failed >= most:
            problem = f"{most} logins failed (the limit failed_logins)"
            self._link.hang_up(CloseCode.POLICY, problem)
            return None
        principal: Principal | None = None
        try:
            principal = await self._identify(attempt, logins.authenticate)
        finally:
            # Also when it was cancelled, or a peer could guess without end by cancelling.
            if principal is None:
                self._failed += 1
                logins.failed_logins.add(self._origin, trio.current_time())
        if principal is None:
            logger.warning("%s: a login was refused", self._link.endpoint.peer)
            return b"false"
        logger.info("%s: logged in as %r", self._link.endpoint.peer, principal.name)
        self._identity.become(principal)
        return b"true"

    async def _identify(self, attempt: _Attempt, authenticate: Authenticate) -> Principal | None:
        endpoint = self._link.endpoint
        try:
            login = decode_json(attempt.params)
            credentials = read_credentials(endpoint.headers, endpoint.query, login)
            return await authenticated(authenticate, credentials)
        except (Unauthorized, Faults):
            return None
        except BaseException as exc:
            let_leave(exc)
            # The peer gets the same response: a different one would tell it something.
            logger.exception("%s: authenticate failed in a login", endpoint.peer)
            return None
