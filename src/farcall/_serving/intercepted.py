"""Subscriptions of the peer with interceptors around them: a task for each, and its outcome.

Without interceptors a subscription needs no task: its values wait in a buffer, and the writer takes
them. Interceptors need one for as long as the subscription lasts, because so long `proceed()` runs.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec
import trio
from msgspec import Struct, field

from farcall._connection.responses import cancelled
from farcall._context import ArgumentsByName, CallContext, Connection, handled
from farcall._failures import describe, unanswered
from farcall._interceptors import Interceptor, Once, intercepted
from farcall._protocol.framing import shown
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall.errors import RpcError

logger = logging.getLogger("farcall")


class InterceptedSubscription:
    """A subscription of the peer, from the first interceptor to its end.

    Args:
        context: For the interceptors.
        source: The signal.
        begin: Called when all interceptors have proceeded.
        answer: Called with the outcome at the end, unless the link has ended first.
        debug: Whether notes and tracebacks of a failure travel.
    """

    def __init__(
        self,
        context: CallContext,
        source: SignalEndpoint,
        begin: Callable[[], object],
        answer: Callable[[Error], object],
        *,
        debug: bool,
    ) -> None:
        self._context = context
        self._source = source
        self._begin = begin
        self._answer = answer
        self._debug = debug
        self._scope = trio.CancelScope()
        self._failure: RpcError | None = None
        self._failed = trio.Event()
        self._once = Once(context.kind, context.method)

    @property
    def is_cancelled(self) -> bool:
        return self._scope.cancel_called

    def cancel(self, reason: str) -> None:
        """Cancel the interceptors; a second time changes nothing."""
        if not self._scope.cancel_called:
            context = self._context
            peer = context.connection.peer
            logger.debug("%s: %s is left (%s)", peer, context.method, shown(reason))
            context._note_cancelled(reason)
            self._scope.cancel()

    def fail(self, error: Error) -> None:
        """End it by an error, which `proceed()` raises in the interceptors."""
        data = None if error.data is None else msgspec.json.decode(error.data)
        self._failure = RpcError.of(error.code, error.message, data)
        self._failed.set()

    async def run(self, interceptors: Sequence[Interceptor]) -> None:
        """Run the interceptors and answer when the last of them has ended."""
        self._answer(await self._outcome(interceptors))

    async def _outcome(self, interceptors: Sequence[Interceptor]) -> Error:
        if self._scope.cancel_called:  # before its turn came
            return cancelled(self._context.cancel_reason)
        try:
            with handled(self._context), self._scope:
                await intercepted(interceptors, self._context, self._core)
                self._once.check_done()
        except BaseException as exc:  # noqa: BLE001 - the error for any exception is the answer
            return self._error_of(exc)
        return cancelled(self._context.cancel_reason)

    def _error_of(self, exc: BaseException) -> Error:
        """Make the answer for an exception; raise what is no answer to a subscription."""
        remains = unanswered(exc, self._source)
        if remains is not None:
            raise remains
        return describe(exc, self._source, debug=self._debug)

    async def _core(self) -> None:
        """Begin the subscription, inside of the interceptors, and wait for its end."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._once.check()
        self._once.is_done = True
        if self._failure is None:
            self._begin()
        await self._failed.wait()
        assert self._failure is not None
        raise self._failure


Start: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]
"""Starts a task of the link, in order with the tasks of its calls."""


class InterceptedSubscriptions(Struct, eq=False):
    """The subscriptions of one link that have interceptors around them.

    Args:
        connection: The link, as interceptors see it.
        interceptors: The first one outermost; without any nothing is to be opened here.
        start: Starts a task of the link.
        debug: Whether notes and tracebacks of failures travel.
    """

    _connection: Connection
    _interceptors: Sequence[Interceptor]
    _start: Start
    _debug: bool = False
    _running: dict[InterceptedSubscription, None] = field(
        default_factory=dict[InterceptedSubscription, None]
    )

    @property
    def is_needed(self) -> bool:
        """Whether there are any interceptors."""
        return bool(self._interceptors)

    @property
    def has_ending(self) -> bool:
        """Whether interceptors that were cancelled are still running."""
        return any(served.is_cancelled for served in self._running)

    def __len__(self) -> int:
        """Count those whose interceptors still run, also for subscribers that have left."""
        return len(self._running)

    def open(
        self,
        source: SignalEndpoint,
        read: Callable[[], ArgumentsByName],
        begin: Callable[[], object],
        answer: Callable[[Error], object],
        *,
        trace: str | None = None,
    ) -> InterceptedSubscription:
        """Start the interceptors of a subscription; see `InterceptedSubscription`."""
        name = source.spec.wire_name
        context = CallContext(
            self._connection,
            name,
            "subscription",
            is_served=True,
            principal=self._connection.principal,
            trace=trace,
            read=read,
        )
        served = InterceptedSubscription(context, source, begin, answer, debug=self._debug)
        self._running[served] = None
        self._start(lambda: self._run(served))
        return served

    async def _run(self, served: InterceptedSubscription) -> None:
        try:
            await served.run(self._interceptors)
        finally:
            del self._running[served]

    def cancel_all(self, reason: str) -> None:
        """Cancel the interceptors of every subscription."""
        for served in self._running:
            served.cancel(reason)
