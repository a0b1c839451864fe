"""Serving the calls of one connection: find the endpoint, start it, send its answer.

Calls start in the order in which they were sent. Trio does not start tasks in the order in which
they were spawned, so each request goes into a queue, and each task, when it first runs, takes the
oldest one that waits.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import attrs
import msgspec
import trio

from farcall._budget import CallBudget
from farcall._call import Connection
from farcall._connection.link import Link
from farcall._endpoints import Endpoint, Endpoints
from farcall._failures import describe
from farcall._guard import SubscriptionGuard
from farcall._identity import Identity
from farcall._intercept import Interceptor
from farcall._login import LoginDesk, Logins
from farcall._order import ThreadLine
from farcall._protocol.conversation import shown
from farcall._protocol.messages import Error, Message
from farcall._protocol.state import IncomingCall
from farcall._publish import Publisher, ServedSubscriptions
from farcall._serve import Deadline, ServedCall, ServedStream, ServedTask, wants_array
from farcall.errors import ErrorCode, InvalidArguments

logger = logging.getLogger("farcall")

RETRY_MS = 100
"""After which a refused call may be tried again: a few calls of usual length have ended by then."""


@attrs.frozen
class Serving:
    """How calls are served."""

    interceptors: Sequence[Interceptor] = ()
    max_call_seconds: float = math.inf
    debug: bool = False
    """Whether notes and tracebacks of failures travel."""
    logins: Logins | None = None
    """How peers log in; None where they cannot."""


class Dispatcher:
    """Answer what the peer of one link asks.

    Args:
        link: The link.
        connection: The same, as handlers see it.
        identity: Who its peer is.
        endpoints: What is served on it.
        serving: How.
    """

    def __init__(
        self,
        link: Link,
        connection: Connection,
        identity: Identity,
        endpoints: Endpoints,
        serving: Serving,
    ) -> None:
        self._link = link
        self._connection = connection
        self._identity = identity
        self._endpoints = endpoints
        self._serving = serving
        guard = SubscriptionGuard(connection, identity)
        self._publisher = Publisher(link, endpoints.signals, guard, self._subscriptions())
        identity.on_change = self._publisher.recheck
        identity.on_left = self._publisher.withdraw
        self._budget = CallBudget(link.limits)
        self._desk = LoginDesk(
            link, identity, serving.logins, serving.max_call_seconds, self._budget
        )
        # Bounded as calls in flight and subscriptions are: each entry has its task already.
        self._waiting: deque[Callable[[], Awaitable[None]]] = deque()
        self._in_flight: dict[ServedCall, None] = {}
        self._by_call: dict[IncomingCall, ServedCall] = {}
        self._orders: dict[str, trio.Lock] = {}
        self._threads = ThreadLine()
        self._builtin: Mapping[str, Callable[[IncomingCall], None]] = {
            "rpc.on": self._publisher.events.on,
            "rpc.off": self._publisher.events.off,
            "rpc.subscribe": self._publisher.subscriptions.subscribe,
            "rpc.login": self._desk.on_request,
            "__listMethods": self._list_methods,
        }

    @property
    def is_busy(self) -> bool:
        """Whether calls are in flight; subscriptions that are not to end do not count."""
        is_serving = bool(self._in_flight or self._by_call)
        return is_serving or self._desk.is_busy or self._publisher.is_busy

    def has_method(self, name: str) -> bool:
        """Whether a method of this name is served."""
        return name in self._endpoints.methods

    # What the link tells

    def on_open(self) -> None:
        """Begin: the link can send."""
        self._identity.begin()
        self._publisher.events.on_open()

    def on_hello(self) -> None:
        """The peer is farcall: it subscribes for itself, and reads bundles."""
        self._publisher.events.on_hello()

    def on_request(self, call: IncomingCall) -> None:
        """Start to serve a call, or answer it at once."""
        builtin = self._builtin.get(call.method)
        endpoint = self._endpoints.methods.get(call.method)
        if builtin is not None:
            builtin(call)
        elif endpoint is None:
            self._link.answers.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND))
        elif not self._identity.may(endpoint.method.spec.access):
            self._link.answers.fail(call, Error.of(ErrorCode.METHOD_FORBIDDEN))
        elif not self._link.takes_calls:
            self._link.answers.fail(call, Error.of(ErrorCode.SHUTTING_DOWN))
        else:
            self._start(endpoint, call, call.params, call.traceparent)

    def on_notification(self, method: str, params: bytes | None, trace: str | None) -> None:
        """Start to serve a one-way call; one that cannot be has nobody to be told to."""
        endpoint = self._endpoints.methods.get(method)
        if endpoint is not None and not self._identity.may(endpoint.method.spec.access):
            logger.debug("%s: %s is not for this peer", self._connection.peer, method)
        elif endpoint is not None and self._link.takes_calls:
            self._start(endpoint, None, params, trace)
        elif method in ("rpc.on", "rpc.off"):
            self._publisher.events.on_notification(method, params)
        else:
            logger.debug(
                "%s: no method %s for a notification", self._connection.peer, shown(method)
            )

    def on_cancel(self, call: IncomingCall, reason: str) -> None:
        """End a call that its caller does not want any more, or a subscription that it leaves."""
        served = self._by_call.get(call)
        if served is not None:
            served.cancel(reason)
        elif not self._desk.cancel(call):
            self._publisher.subscriptions.cancel(call, reason)

    def on_credit(self, call: IncomingCall) -> None:
        """Send what a stream, or a subscription, holds back."""
        served = self._by_call.get(call)
        if isinstance(served, ServedStream):
            served.on_credit()
        else:
            self._publisher.subscriptions.on_credit(call)

    def on_draining(self) -> None:
        """End the subscriptions, which would never end by themselves."""
        self._publisher.subscriptions.cancel_all()

    def on_grace_over(self) -> None:
        """Cancel the calls that take longer than a drain."""
        self._desk.cancel_all()
        self._cancel_all("shutdown")

    def on_closed(self) -> None:
        """Cancel the calls, whose callers cannot be answered any more, and leave every signal."""
        reason = "shutdown" if self._link.life.ends_here else "disconnect"
        self._cancel_all(reason)
        self._by_call.clear()
        self._publisher.close(reason)

    # Built in

    def _list_methods(self, call: IncomingCall) -> None:
        login = () if self._serving.logins is None else ("rpc.login",)
        names = [*self._endpoints.methods, *login, "__listMethods"]
        self._link.answers.respond(call, msgspec.json.encode(names))

    # Handlers

    def _start(
        self,
        endpoint: Endpoint,
        call: IncomingCall | None,
        params: bytes | None,
        trace: str | None,
    ) -> None:
        size = 0 if params is None else len(params)
        limit = self._budget.excess(size)
        if limit is not None:
            self._refuse(call, limit)
            return
        served = self._make(endpoint, call, params)
        if served is None:
            logger.debug("%s: a stream as a notification", self._connection.peer)
            return
        served.context.trace = trace
        if endpoint.method.uploads and not self._accept_uploads(served):
            return
        if self._may_run_inline(endpoint):
            self._answer(served, served.run_inline())
            return
        self._budget.take(size)
        self._in_flight[served] = None
        if call is not None:
            self._by_call[call] = served
        self._start_task(partial(self._serve, served))

    def _start_task(self, task: Callable[[], Awaitable[None]]) -> None:
        """Start a task of the link in the order in which the peer has asked for it."""
        self._waiting.append(task)
        self._link.start_soon(self._run_oldest)

    async def _run_oldest(self) -> None:
        await self._waiting.popleft()()

    def _subscriptions(self) -> ServedSubscriptions | None:
        """Make what runs interceptors around subscriptions, which need no task without any."""
        serving = self._serving
        if not serving.interceptors:
            return None
        return ServedSubscriptions(
            self._connection, serving.interceptors, self._start_task, serving.debug
        )

    def _refuse(self, call: IncomingCall | None, limit: str) -> None:
        """Send a call away for which there is no room; the reader does not wait for any."""
        if call is None:
            self._link.drops.add(limit)
        else:
            data = {"limit": limit, "retry_after_ms": RETRY_MS}
            self._link.answers.fail(call, Error.of(ErrorCode.BUSY, data))

    def _make(
        self, endpoint: Endpoint, call: IncomingCall | None, params: bytes | None
    ) -> ServedCall | None:
        """Make what serves a call; a stream that nobody waits for is none."""
        debug = self._serving.debug
        if not endpoint.method.is_stream:
            deadline = Deadline.of(call, self._serving.max_call_seconds)
            if endpoint.method.started is None:
                return ServedCall(
                    self._connection,
                    endpoint,
                    call,
                    params,
                    deadline,
                    debug=debug,
                    threads=self._threads,
                )
            return ServedTask(
                self._connection, endpoint, call, params, deadline, link=self._link, debug=debug
            )
        if call is None:
            return None
        deadline = Deadline(math.inf, "caller")
        # Its scope ends a stream, and nothing else: it may well go on for ever.
        if wants_array(self._link, call):
            deadline = Deadline.of(call, self._serving.max_call_seconds)
        return ServedStream(
            self._connection, endpoint, call, params, deadline, link=self._link, debug=debug
        )

    def _accept_uploads(self, served: ServedCall) -> bool:
        """Open the uploads of a call, or refuse it."""
        try:
            served.accept_uploads(self._link)
        except InvalidArguments as exc:
            self._answer(served, describe(exc, served.endpoint.method, debug=False))
            return False
        return True

    def _may_run_inline(self, endpoint: Endpoint) -> bool:
        """Whether a plain ``def`` may run in the reader: nothing must be waiting before it.

        Nor may its answer have to wait: a task can do that, and the reader cannot.
        """
        method = endpoint.method
        is_quick = not (method.is_async or method.in_thread or method.ordered)
        is_alone = not (self._waiting or self._serving.interceptors)
        return is_quick and is_alone and self._link.answers.has_room

    async def _serve(self, served: ServedCall) -> None:
        try:
            outcome = await self._run(served)
            await self._wait_room(served, outcome)
        finally:
            # Free before the answer is queued: a caller that hears it may send the next call.
            self._budget.give_back(served.size)
            del self._in_flight[served]
        if served.queue is None or self._link.is_closed:
            self._answer(served, outcome)

    async def _run(self, served: ServedCall) -> bytes | Error:
        method = served.endpoint.method
        order = None
        if method.ordered:
            order = self._orders.setdefault(method.spec.wire_name, trio.Lock())
        try:
            return await served.run(self._serving.interceptors, order)
        finally:
            served.end_uploads()

    async def _wait_room(self, served: ServedCall, outcome: bytes | Error) -> None:
        """Wait until the answer may be queued; that to a stream, until it has been taken."""
        if served.queue is None:
            await self._link.answers.wait_room(len(outcome) if isinstance(outcome, bytes) else 0)
        else:
            served.queue.end(lambda: self._end_stream(served, outcome))
            await served.queue.ended.wait()

    def _answer(self, served: ServedCall, outcome: bytes | Error) -> None:
        call = served.call
        if call is not None:
            self._by_call.pop(call, None)
        if call is None or self._link.is_closed:
            self._link.answers.note_ended()
        elif isinstance(outcome, Error):
            self._link.answers.fail(call, outcome)
        else:
            self._link.answers.respond(call, outcome)

    def _end_stream(self, served: ServedCall, outcome: bytes | Error) -> Message | None:
        """Make the answer to a stream, when the last of its items has left."""
        call = served.call
        assert call is not None
        del self._by_call[call]
        self._link.answers.note_ended()
        if served.queue is not None and served.queue.outbox.has_dropped:
            # It was cancelled. What it came to holds for a reader who has seen all items.
            outcome = Error.of(ErrorCode.CANCELLED)
        if isinstance(outcome, Error):
            return self._link.protocol.fail(call, outcome)
        return self._link.protocol.respond(call, outcome)

    def _cancel_all(self, reason: str) -> None:
        for served in self._in_flight:
            served.cancel(reason)
