"""The requests of one link's peer: find the endpoint, run it, send the response.

Calls start in the order in which they were sent. Trio does not start tasks in the order in which
they were spawned, so each call goes into a queue, and each task takes the oldest call when it first
runs.
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
from farcall._serving.calls import Runner, ServedCall, ServedLink
from farcall._serving.deadline import NO_DEADLINE, Deadline
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
"""After which a refused call may be repeated: time for a few calls of usual length."""

RUNNERS: Final[Mapping[EndpointKind, type[Runner]]] = {
    "stream": StreamRunner,
    "task": TaskRunner,
}
"""By kind of endpoint; a plain call needs none."""

Task: TypeAlias = Callable[[], Awaitable[None]]


class Dispatcher:
    """The `Handler` of a link: serves the requests of its peer.

    Both ends of a link have one; a client without ``serves=`` has no endpoints.

    Args:
        link: The link.
        caller: Calls the peer, and subscribes to the events of a plain one.
        endpoints: The methods and signals for the peer.
        options: Of the link.
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
        self._emit = caller.subscriber.on_event
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
        self._quota = CallQuota(link.limits)
        self._login_handler = LoginHandler(
            link, identity, logins, options, quota=self._quota, start=self._start_task
        )
        # Bounded like calls in flight and subscriptions: each entry has its task already.
        # A deque without entries takes 760 bytes, so an idle link has none.
        self._waiting: deque[ServedCall | Task] | tuple[()] = ()
        self._in_flight: dict[ServedCall, None] = {}
        self._has_login_limit = False
        """Whether `message_before_login` limits the messages of the peer."""
        self._close_watchdog: Callable[[], None] | None = None

    def census(self) -> Iterator[tuple[str, int]]:
        """Count what is held for the peer, by kind; see `farcall.testing`."""
        yield "handlers", len(self._in_flight)
        yield "calls that wait for their task", len(self._waiting)
        yield "calls in the budget", self._quota.calls
        yield "bytes of parameters in the budget", self._quota.size
        yield "logins", len(self._login_handler)
        yield "subscriptions served", len(self._subscriptions)
        yield "interceptors of subscriptions", len(self._intercepted)
        yield "events served", len(self._events)
        yield from self._shared.census()
        yield "events listened to", len(self.caller.subscriber)

    # From the link

    @property
    def is_busy(self) -> bool:
        """Whether calls are in flight; of subscriptions only those count that are ending."""
        return bool(self._in_flight or self._login_handler or self._intercepted.has_ending)

    def on_open(self) -> None:
        """Begin to serve; a client's events begin with a hello of its own."""
        if self._options.debug:
            watchdog.open()
            self._close_watchdog = watchdog.close
        if not self._link.protocol.has_dialled:
            self._identity.begin()
            self._limit_messages()
            self._events.on_open()

    def on_hello(self, _hello: Hello) -> None:
        self._events.on_hello()

    def on_request(self, call: Request) -> None:
        """Start to serve a call, or answer it."""
        endpoint = self._methods.get(call.method)
        if endpoint is None:
            builtin = _BUILTIN.get(call.method)
            if builtin is not None:
                builtin(self, call)
            else:
                call.fail(Error.of(ErrorCode.METHOD_NOT_FOUND))
        elif endpoint.is_protected and not self._identity.may(endpoint.method.spec.access):
            access = endpoint.method.spec.access
            call.fail(self._identity.refusal(access, ErrorCode.METHOD_FORBIDDEN))
        # The first half of `takes_calls`, which decides nearly every call, costs no call so.
        elif (
            self._lifecycle.is_usable and not self._lifecycle.is_leaving
        ) or self._link.takes_calls:
            self._start(endpoint, call)
        else:
            call.fail(shutting_down())

    def on_notification(self, method: str, params: bytes | None, trace: str | None) -> None:
        """Serve a notification. Failures are only logged: notifications get no response.

        Many plain servers send their events as notifications, so subscribers get it as well.
        """
        is_subscribed = self._emit(method, params)
        endpoint = self._methods.get(method)
        if endpoint is None:
            if method in ("rpc.on", "rpc.off") and not is_subscribed:
                self._events.on_notification(method, params)
            elif not is_subscribed:
                peer = self._connection.peer
                logger.debug("%s: no method %s for a notification", peer, shown(method))
        elif not self._identity.may(endpoint.method.spec.access):
            logger.debug("%s: no access to %s, a notification", self._connection.peer, method)
        elif not self._link.takes_calls:
            logger.debug(
                "%s: dropped %s, a notification while draining", self._connection.peer, method
            )
        elif endpoint.kind == "stream":
            logger.debug(
                "%s: dropped %s, a stream as a notification", self._connection.peer, method
            )
        else:
            call = self._responses.notification(method, params, trace)
            self._start(endpoint, call, wants_answer=False)

    def on_event(self, name: str, params: bytes | None) -> None:
        """Give an event of a plain server to its subscribers."""
        self._emit(name, params)

    def on_draining(self) -> None:
        """End the subscriptions, which go on until they are cancelled."""
        self._subscriptions.cancel_all()

    def on_grace_over(self) -> None:
        """Cancel the calls that take longer than the drain."""
        self._login_handler.cancel_all()
        self._cancel_all("shutdown")

    def on_closed(self) -> None:
        """Cancel the calls, which can get no response, and end the subscriptions."""
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
        """End streams and subscriptions that the peer's present login does not allow."""
        if self._has_login_limit and self._identity.principal is not None:
            self._has_login_limit = False
            self._link.limit_messages(self._message_limit)
        self._withdraw()
        self._subscriptions.recheck()
        self._events.recheck()
        for served in self._in_flight:
            served.recheck()

    def _withdraw(self) -> None:
        """Drop values that wait for addresses which the peer no longer has."""
        self._subscriptions.withdraw()
        self._events.withdraw()

    def _limit_messages(self) -> None:
        """Take only small messages from a peer that can do nothing but log in."""
        limit = MessageLimit(self._link.limits.message_before_login, "message_before_login")
        has_to_log_in = self._logins is not None and self.endpoints.need_a_login
        is_anonymous = self._identity.principal is None
        if has_to_log_in and is_anonymous and limit.size < self._message_limit.size:
            self._has_login_limit = True
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
        """Send the description, which has no secrets: also of members with restricted access."""
        call.respond(self.endpoints.description)

    # Handlers

    def _start(self, endpoint: Endpoint, call: Request, *, wants_answer: bool = True) -> None:
        """Run a plain ``def`` here, or any other handler in a task."""
        size = 0 if call.params is None else len(call.params)
        limit, max_seconds = self._quota.excess(size), self._options.max_call_seconds
        if endpoint.limits is not None:
            max_seconds = min(max_seconds, endpoint.limits.max_seconds)
            if endpoint.limits.is_full:
                limit = "max_concurrent"
        if limit is not None:
            self._refuse(call, limit, wants_answer)
            return
        served = ServedCall(
            self._shared,
            endpoint,
            call,
            self._identity.principal,
            Deadline.of(call, max_seconds),
            wants_answer,
        )
        # The reader must not wait: for earlier calls, for interceptors, or for room.
        has_to_wait = self._waiting or self._shared.interceptors
        if endpoint.is_inline and not has_to_wait and self._responses.queue.is_writable:
            self._answer(served, served.run_inline())
            return
        if endpoint.kind != "call":
            if endpoint.kind == "stream" and call.wants_items:
                # A stream may go on for ever: it has no deadline, and its caller's scope ends it.
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
        self._quota.take(size)
        if endpoint.limits is not None:
            endpoint.limits.running += 1
        self._in_flight[served] = None
        self._start_task(served)

    def _refuse(self, call: Request, limit: str, wants_answer: bool) -> None:
        """Refuse a call that is over a limit; the reader does not wait for room."""
        if wants_answer:
            data = {"limit": limit, "retry_after_ms": RETRY_MS}
            call.fail(Error.of(ErrorCode.BUSY, data))
        else:
            self._link.drops.add(limit)

    def _start_task(self, task: ServedCall | Task) -> None:
        if not self._waiting:
            self._waiting = deque()
        self._waiting.append(task)
        self._link.start_soon(self._run_oldest)

    async def _run_oldest(self) -> None:
        assert self._waiting
        oldest = self._waiting.popleft()
        self._waiting = self._waiting or ()
        if not isinstance(oldest, ServedCall):
            await oldest()
            return
        try:
            outcome = await oldest.run()
            if oldest.outbox is not None or not self._responses.queue.is_writable:
                await self._wait_writable(oldest, outcome)
        finally:
            # Before the response: its caller may send the next call when it arrives.
            self._quota.release(oldest.size)
            if oldest.endpoint.limits is not None:
                oldest.endpoint.limits.running -= 1
            del self._in_flight[oldest]
        if oldest.outbox is None or self._link.is_closed:
            self._answer(oldest, outcome)

    async def _wait_writable(self, served: ServedCall, outcome: bytes | Error) -> None:
        """Wait until the response may be queued; for a stream, until it was sent."""
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


_BUILTIN: Final[Mapping[str, Callable[[Dispatcher, Request], None]]] = {
    "rpc.on": lambda dispatcher, call: dispatcher._events.on(call),
    "rpc.off": lambda dispatcher, call: dispatcher._events.off(call),
    "rpc.subscribe": lambda dispatcher, call: dispatcher._subscriptions.subscribe(call),
    "rpc.login": lambda dispatcher, call: dispatcher._login_handler.on_request(call),
    "rpc.discover": Dispatcher._describe,
    "__listMethods": Dispatcher._list_methods,
}
"""The methods of farcall and rpc-websockets themselves."""
