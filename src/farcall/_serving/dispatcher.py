"""What the peer of one connection asks: find the endpoint, start it, send its answer.

Calls start in the order in which they were sent. Trio does not start tasks in the order in which
they were spawned, so each request goes into a queue, and each task, when it first runs, takes the
oldest one that waits.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, TypeAlias

import msgspec
import trio

from farcall._calling.calls import LinkCaller
from farcall._connection.link import Link
from farcall._connection.responses import Request, shutting_down
from farcall._limits import MessageLimit, message_limit
from farcall._protocol.framing import shown
from farcall._protocol.messages import Error, Hello
from farcall._quota import CallQuota
from farcall._serving.calls import NO_DEADLINE, Deadline, Runner, ServedCall, ServedLink
from farcall._serving.endpoints import Endpoint, EndpointKind, Endpoints
from farcall._serving.intercepted import InterceptedSubscriptions
from farcall._serving.login import LoginHandler, Logins
from farcall._serving.options import LinkOptions
from farcall._serving.plain_events import Events
from farcall._serving.policy import SubscriptionPolicy
from farcall._serving.signals import ServedSignals
from farcall._serving.steps import watchdog
from farcall._serving.streams import StreamRunner
from farcall._serving.subscriptions import Subscriptions
from farcall._serving.tasks import TaskRunner
from farcall.errors import ErrorCode

logger = logging.getLogger("farcall")

RETRY_MS: Final = 100
"""After which a refused call may be tried again: a few calls of usual length have ended by then."""

RUNNERS: Final[Mapping[EndpointKind, type[Runner]]] = {
    "stream": StreamRunner,
    "task": TaskRunner,
}
"""What serves each kind of endpoint; a plain call needs nothing beside its `ServedCall`."""

Task: TypeAlias = Callable[[], Awaitable[None]]


class Dispatcher:
    """The `Handler` of a link: serve what its peer asks, and hand on what it tells.

    Both ends of a link have one; what is served decides which of them has anything to do.

    Args:
        link: The link.
        caller: Calls the peer; its subscriptions hear what a plain server emits.
        endpoints: What is served to the peer.
        options: How.
        logins: How the peer logs in; None where it cannot.
    """

    def __init__(
        self,
        link: Link,
        caller: LinkCaller,
        endpoints: Endpoints,
        options: LinkOptions,
        logins: Logins | None = None,
    ) -> None:
        self.caller = caller
        self._hear = caller.subscriber.on_event
        self._link = link
        self._lifecycle = link.lifecycle
        self._responses = link.responses
        self._identity = identity = caller.identity
        self._connection = caller.connection
        self.endpoints = endpoints
        self._methods = endpoints.methods
        self._options = options
        self._logins = logins
        self._shared = ServedLink(
            link, caller.connection, identity, options.interceptors, options.debug
        )
        self._intercepted = InterceptedSubscriptions(
            caller.connection, options.interceptors, self._start_task, options.debug
        )
        policy = SubscriptionPolicy(caller.connection, identity)
        signals = ServedSignals(link, endpoints.signals, policy, self._intercepted)
        self._subscriptions = Subscriptions(signals)
        """Of a farcall peer."""
        self._events = Events(signals)
        """Of a plain peer."""
        identity.on_change = self._recheck
        identity.on_left = self._withdraw
        self._budget = CallQuota(link.limits)
        self._login_handler = LoginHandler(
            link, identity, logins, options.max_call_seconds, self._budget, self._start_task
        )
        # Bounded as calls in flight and subscriptions are: each entry has its task already.
        self._waiting: deque[ServedCall | Task] = deque()
        self._in_flight: dict[ServedCall, None] = {}
        self._has_little_to_say = False
        """Whether the limit is `message_before_login`."""
        self._close_watchdog: Callable[[], None] | None = None
        self._builtin: Mapping[str, Callable[[Request], None]] = {
            "rpc.on": self._events.on,
            "rpc.off": self._events.off,
            "rpc.subscribe": self._subscriptions.subscribe,
            "rpc.login": self._login_handler.on_request,
            "rpc.discover": self._describe,
            "__listMethods": self._list_methods,
        }

    def census(self) -> Iterator[tuple[str, int]]:
        """Count what is held for the peer, by its kind; in the end nothing of it may be left."""
        yield "handlers", len(self._in_flight)
        yield "calls that wait for their task", len(self._waiting)
        yield "calls in the budget", self._budget.calls
        yield "bytes of parameters in the budget", self._budget.size
        yield "logins", len(self._login_handler)
        yield "subscriptions served", len(self._subscriptions)
        yield "interceptors of subscriptions", len(self._intercepted)
        yield "events served", len(self._events)
        yield from self._shared.census()
        yield "events listened to", len(self.caller.subscriber)

    # What the link tells

    @property
    def is_busy(self) -> bool:
        """Whether calls are in flight; subscriptions that are not to end do not count."""
        return bool(self._in_flight or self._login_handler or self._intercepted.has_ending)

    def on_open(self) -> None:
        """Begin, on the side that was called up; the one that dialled waits for a hello."""
        if self._options.debug:
            watchdog.open()
            self._close_watchdog = watchdog.close
        if not self._link.protocol.has_dialled:
            self._identity.begin()
            self._limit_messages()
            self._events.on_open()

    def on_hello(self, _hello: Hello) -> None:
        """The peer is farcall: it subscribes for itself."""
        self._events.on_hello()

    def on_request(self, call: Request) -> None:
        """Start to serve a call, or answer it at once."""
        endpoint = self._methods.get(call.method)
        if endpoint is None:
            builtin = self._builtin.get(call.method)
            if builtin is not None:
                builtin(call)
            else:
                call.fail(Error.of(ErrorCode.METHOD_NOT_FOUND))
        elif endpoint.is_protected and not self._identity.may(endpoint.method.spec.access):
            access = endpoint.method.spec.access
            call.fail(self._identity.refusal(access, ErrorCode.METHOD_FORBIDDEN))
        # `takes_calls` begins with the first half, which nearly every call needs no call for.
        elif (
            self._lifecycle.is_usable and not self._lifecycle.is_leaving
        ) or self._link.takes_calls:
            self._start(endpoint, call)
        else:
            call.fail(shutting_down())

    def on_notification(self, method: str, params: bytes | None, trace: str | None) -> None:
        """Serve a one-way call, whose failures are only logged: it gets no response.

        Many plain servers send their events so: those who listen to the name get it as well.
        """
        is_heard = self._hear(method, params)
        endpoint = self._methods.get(method)
        if endpoint is None:
            if method in ("rpc.on", "rpc.off") and not is_heard:
                self._events.on_notification(method, params)
            elif not is_heard:
                peer = self._connection.peer
                logger.debug("%s: no method %s for a notification", peer, shown(method))
        elif not self._identity.may(endpoint.method.spec.access):
            logger.debug("%s: %s is not for this peer", self._connection.peer, method)
        elif not self._link.takes_calls:
            logger.debug("%s: %s comes too late", self._connection.peer, method)
        elif endpoint.kind == "stream":
            logger.debug("%s: a stream as a notification", self._connection.peer)
        else:
            call = self._responses.notification(method, params, trace)
            self._start(endpoint, call, wants_answer=False)

    def on_event(self, name: str, params: bytes | None) -> None:
        """Hand an event of a plain server to its subscribers."""
        self._hear(name, params)

    def on_draining(self) -> None:
        """End the subscriptions, which would never end by themselves."""
        self._subscriptions.cancel_all()

    def on_grace_over(self) -> None:
        """Cancel the calls that take longer than a drain."""
        self._login_handler.cancel_all()
        self._cancel_all("shutdown")

    def on_closed(self) -> None:
        """Cancel the calls, whose callers cannot be answered any more, and leave every signal."""
        reason = "shutdown" if self._lifecycle.ends_here else "disconnect"
        self._cancel_all(reason)
        self._intercepted.cancel_all(reason)
        self._events.close()
        self._subscriptions.close()
        self.caller.subscriber.on_closed()
        if self._close_watchdog is not None:
            self._close_watchdog()
            self._close_watchdog = None

    def _recheck(self) -> None:
        """End what is not for who the peer is now."""
        if self._has_little_to_say and self._identity.principal is not None:
            self._has_little_to_say = False
            self._link.limit_messages(self._message_limit)
        self._withdraw()
        self._subscriptions.recheck()
        self._events.recheck()
        for served in self._in_flight:
            served.recheck()

    def _withdraw(self) -> None:
        """Drop values that wait, and were for who the peer is no more."""
        self._subscriptions.withdraw()
        self._events.withdraw()

    def _limit_messages(self) -> None:
        """Take small messages alone from a peer that can do nothing yet but log in."""
        limit = MessageLimit(self._link.limits.message_before_login, "message_before_login")
        has_to_log_in = self._logins is not None and self.endpoints.need_a_login
        is_nobody = self._identity.principal is None
        if has_to_log_in and is_nobody and limit.size < self._message_limit.size:
            self._has_little_to_say = True
            self._link.limit_messages(limit)

    @property
    def _message_limit(self) -> MessageLimit:
        return message_limit(self._link.limits, is_client=False)

    def _cancel_all(self, reason: str) -> None:
        for served in self._in_flight:
            served.cancel(reason)

    # Built in

    def _list_methods(self, call: Request) -> None:
        login = () if self._logins is None else ("rpc.login",)
        names = [*self._methods, *login, "__listMethods"]
        call.respond(msgspec.json.encode(names))

    def _describe(self, call: Request) -> None:
        """Tell the contracts, which are no secret: also of what this peer may not use."""
        call.respond(self.endpoints.description)

    # Handlers

    def _start(self, endpoint: Endpoint, call: Request, *, wants_answer: bool = True) -> None:
        """Run a plain ``def`` here and now, or a handler in a task."""
        size = 0 if call.params is None else len(call.params)
        limit = self._budget.excess(size)
        if limit is not None:
            self._refuse(call, limit, wants_answer)
            return
        served = ServedCall(
            self._shared,
            endpoint,
            call,
            self._identity.principal,
            Deadline.of(call, self._options.max_call_seconds),
            wants_answer,
        )
        # In the reader a call must not wait: for calls before it, interceptors, or for room.
        has_to_wait = self._waiting or self._shared.interceptors
        if endpoint.is_inline and not has_to_wait and self._responses.queue.is_writable:
            self._answer(served, served.run_inline())
            return
        if endpoint.kind != "call":
            if endpoint.kind == "stream" and call.wants_items:
                # Its scope ends a stream, and nothing else: it may well go on for ever.
                served.deadline = NO_DEADLINE
            served.runner = RUNNERS[endpoint.kind](served)
        if endpoint.method.uploads:
            fault = served.accept_uploads()
            if fault is not None:
                self._answer(served, fault)
                return
        served.size = size
        served.scope = trio.CancelScope(deadline=served.deadline.at)
        call.owner = served
        self._budget.take(size)
        self._in_flight[served] = None
        self._waiting.append(served)
        self._link.start_soon(self._run_oldest)

    def _refuse(self, call: Request, limit: str, wants_answer: bool) -> None:
        """Send a call away for which there is no room; the reader does not wait for any."""
        if wants_answer:
            data = {"limit": limit, "retry_after_ms": RETRY_MS}
            call.fail(Error.of(ErrorCode.BUSY, data))
        else:
            self._link.drops.add(limit)

    def _start_task(self, task: Task) -> None:
        """Start a task of the link in the order in which the peer has asked for it."""
        self._waiting.append(task)
        self._link.start_soon(self._run_oldest)

    async def _run_oldest(self) -> None:
        oldest = self._waiting.popleft()
        if not isinstance(oldest, ServedCall):
            await oldest()
            return
        try:
            outcome = await oldest.run()
            if oldest.outbox is not None or not self._responses.queue.is_writable:
                await self._wait_writable(oldest, outcome)
        finally:
            # Free before the answer is queued: a caller that hears it may send the next call.
            self._budget.release(oldest.size)
            del self._in_flight[oldest]
        if oldest.outbox is None or self._link.is_closed:
            self._answer(oldest, outcome)

    async def _wait_writable(self, served: ServedCall, outcome: bytes | Error) -> None:
        """Wait until the answer may be queued; that to a stream, until it has been taken."""
        if served.outbox is None:
            await self._responses.wait_writable(len(outcome) if isinstance(outcome, bytes) else 0)
        else:
            served.outbox.end(lambda: served.end_message(outcome))
            await served.outbox.wait_ended()

    def _answer(self, served: ServedCall, outcome: bytes | Error) -> None:
        if not served.wants_answer or self._lifecycle.is_closed:
            self._responses.note_ended()
        elif isinstance(outcome, Error):
            served.call.fail(outcome)
        else:
            served.call.respond(outcome)
