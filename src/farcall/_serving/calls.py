"""One call of the peer while it is served: its scope, its deadline, its one outcome.

Theory of operation. The dispatcher makes a `ServedCall` for each call. It is the owner of the call,
which the protocol notifies of cancellation and credit, and what code in the handler finds in the
context variable. A plain call decodes, runs the handler and encodes; a stream and a remote task
replace these steps by their `Runner`.
"""

from __future__ import annotations

import contextvars
import functools
import logging
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any, ClassVar, Final, TypeVar

import attrs
import msgspec
import trio

from farcall._codec import Faults, TooDeep
from farcall._connection.calls import Calls, handling
from farcall._connection.link import Link
from farcall._connection.responses import Request, cancelled
from farcall._connection.send_queue import SendQueue
from farcall._connection.state import ConnectionState
from farcall._connection.streams import Outbox
from farcall._context import CallContext, CallKind, Connection
from farcall._failures import describe, invalid_arguments, redacted, unanswered, without
from farcall._fifo import ThreadLine, in_turn
from farcall._identity import Identity
from farcall._interceptors import Interceptor, Once, intercepted
from farcall._limits import MAX_DEPTH, exceeded
from farcall._principal import Principal
from farcall._protocol.framing import shown
from farcall._protocol.messages import MESSAGES, Error, Owner
from farcall._serving.deadline import NO_DEADLINE, Deadline
from farcall._serving.endpoints import Endpoint
from farcall._serving.steps import SLOW_SECONDS, timed
from farcall._serving.uploads import ReceivedUploads
from farcall.errors import (
    ConnectionLost,
    ErrorCode,
    InvalidArguments,
    ReplyTooLarge,
    RpcError,
    is_of_protocol,
)

logger = logging.getLogger("farcall")

T = TypeVar("T")


_LOGIN_ENDED: Final = "the login under which it was called has ended"

_slow_methods: set[str] = set()
"""The inline methods that the log has already."""


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class ServedLink:
    """What all calls of one link share while they are served."""

    link: Link
    connection: Connection
    """The link as handlers see it."""
    identity: Identity
    interceptors: Sequence[Interceptor] = ()
    debug: bool = False
    """Whether notes and tracebacks of failures travel."""
    threads: ThreadLine = attrs.field(factory=ThreadLine, init=False)
    orders: dict[str, trio.Lock] = attrs.field(factory=dict[str, trio.Lock], init=False)
    """One for each ``ordered`` method that was called, by its wire name."""
    queue: SendQueue = attrs.field(init=False)
    """Where responses wait for the writer."""
    _begin: trio.Lock | None = attrs.field(default=None, init=False)
    waiting: int = attrs.field(default=0, init=False)
    """How many calls wait for room in the queue before they begin."""

    def __attrs_post_init__(self) -> None:
        self.queue = self.link.responses.queue

    async def wait_writable(self) -> None:
        """Wait, in order, until the queue has room for the result of another handler.

        Results of handlers that began without room would be held outside of the queue.
        """
        self.waiting += 1
        try:
            self._begin = self._begin or trio.Lock()
            async with in_turn(self._begin):
                await self.queue.wait_writable()
        finally:
            self.waiting -= 1

    def census(self) -> Iterator[tuple[str, int]]:
        """Count the calls in line for a thread, or for their turn."""
        yield "calls in line for a thread", len(self.threads)
        orders = [lock.statistics() for lock in self.orders.values()]
        yield "turns of ordered methods", sum(each.locked + each.tasks_waiting for each in orders)


class Runner:
    """The steps of a call in which a stream, or a remote task, differs from a plain call.

    Args:
        served: The call.
    """

    kind: ClassVar[CallKind] = "call"

    def __init__(self, served: ServedCall) -> None:
        self._served = served
        self._once = Once(self.kind, served.endpoint.method.spec.wire_name)

    async def handle(self) -> object:
        raise NotImplementedError

    def encode(self, value: object) -> bytes:
        """Encode the result, which interceptors may have replaced."""
        return self._served.encode(value)

    def failure(self, exc: BaseException) -> BaseException:
        """Return the exception that the call fails with, for the one that was raised."""
        return exc

    def on_cancel(self) -> None:
        """Called after the call was cancelled."""

    def on_credit(self) -> None:
        """Called when the peer takes more items."""

    def end(self) -> None:
        """Called after the handler has ended."""


class ServedCall(Owner, msgspec.Struct, eq=False):
    """A call of the peer, from its start to its outcome."""

    shared: ServedLink
    endpoint: Endpoint
    call: Request
    """Its entry in the protocol's table."""
    principal: Principal | None
    """The peer's when the call came."""
    deadline: Deadline
    wants_answer: bool = True
    """False for a notification."""
    size: int = 0
    """Bytes of its parameters; counted in the quota while it runs in a task."""
    scope: trio.CancelScope | None = None
    """Around its handler; None where that is a plain ``def`` that runs in the reader."""
    runner: Runner | None = None
    """None for a plain call."""
    uploads: ReceivedUploads | None = None
    outbox: Outbox | None = None
    """The items of a stream, which are sent before the response."""
    is_over: bool = False
    """Whether its handler has ended."""
    is_cancelled: bool = False
    """Whether it was cancelled, other than by its deadline."""
    is_revoked: bool = False
    """Whether it was cancelled because its login has ended."""
    refusal: RpcError | None = None
    """An error with a code of the protocol that farcall raised, rather than the handler."""
    _context: CallContext | None = None
    _arguments: dict[str, object] | None = None
    """By name, once an interceptor, or an upload, has needed them so."""
    once: Once | None = None
    """For a plain call with uploads, whose items cannot be read again."""

    # For code that runs in the handler

    @property
    def context(self) -> CallContext:
        if self._context is None:
            self._context = CallContext(
                self.shared.connection,
                self.endpoint.method.spec.wire_name,
                "call" if self.runner is None else self.runner.kind,
                is_served=True,
                principal=self.principal,
                deadline=self.deadline.at,
                trace=self.call.traceparent,
                read=self._read_arguments,
            )
        return self._context

    @property
    def calls(self) -> Calls:
        return self.shared.link.calls

    @property
    def trace(self) -> str | None:
        """The span of the calls that it makes; interceptors may have replaced it."""
        return self.call.traceparent if self._context is None else self._context.trace

    @property
    def cancel_reason(self) -> str | None:
        if self._context is None and not self.is_cancelled and self.deadline is NO_DEADLINE:
            return None
        return self.context.cancel_reason

    # From the protocol

    def cancel(self, reason: str) -> None:
        """Cancel the handler; a second time changes nothing."""
        scope = self.scope
        if scope is None or scope.cancel_called:
            return
        self.is_cancelled = True
        self._note_cancelled(reason)
        scope.cancel()
        if self.runner is not None:
            self.runner.on_cancel()

    def recheck(self) -> None:
        """Cancel a stream whose login has ended; any other call runs to its end."""
        if self.endpoint.kind == "stream" and not self._is_permitted:
            self.is_revoked = True
            self.cancel("logout")

    def on_credit(self) -> None:
        if self.runner is not None:
            self.runner.on_credit()

    def _note_cancelled(self, reason: str) -> None:
        context = self.context
        peer = context.connection.peer
        logger.debug("%s: %s is cancelled (%s)", peer, context.method, shown(reason))
        context._note_cancelled(reason)

    # Run

    async def run(self) -> bytes | Error:
        """Run the handler in a task and return the outcome of the call.

        If a cancelled handler returns or raises something else, that is the outcome.
        """
        scope = self.scope
        assert scope is not None
        handling.set(self)
        try:
            if scope.cancel_called:  # before it began, so it must not begin
                return self._cancelled()
            with scope:
                shared = self.shared
                if shared.waiting or not shared.queue.is_writable:
                    await shared.wait_writable()
                    self._check_principal()
                encode = self.encode if self.runner is None else self.runner.encode
                if shared.interceptors or self.endpoint.method.ordered:
                    return encode(await self._surrounded())
                return encode(await self.handle())
        except BaseException as exc:  # noqa: BLE001 - whatever a handler raises is answered
            return self._failed(exc)
        finally:
            self.is_over = True
            if self.runner is not None:
                self.runner.end()
            if self.uploads is not None:
                self.uploads.end()
        return self._cancelled()

    async def _surrounded(self) -> object:
        shared, method = self.shared, self.endpoint.method
        order: trio.Lock | None = None
        if method.ordered:
            order = shared.orders.setdefault(method.spec.wire_name, trio.Lock())
        async with in_turn(order) if order else nullcontext():
            self._check_principal()
            if shared.interceptors:
                return await intercepted(shared.interceptors, self.context, self.handle)
            return await self.handle()

    def run_inline(self) -> bytes | Error:
        """Run a plain ``def`` in the reader's task, in a context of its own."""
        deadline = self.deadline
        if deadline is not NO_DEADLINE and deadline.at <= trio.current_time():
            return self._cancelled()
        return contextvars.copy_context().run(self._run_inline)

    def _run_inline(self) -> bytes | Error:
        handling.set(self)
        try:
            return self.encode(self._call_inline())
        except BaseException as exc:  # noqa: BLE001 - as above
            return self._failed(exc)
        finally:
            self.is_over = True

    def _failed(self, exc: BaseException) -> Error:
        """Make the response to a call that has failed; raise what is no answer to it."""
        method, shared = self.endpoint.method, self.shared
        if self.runner is not None:
            exc = self.runner.failure(exc)
        if shared.connection.state is ConnectionState.CLOSED:
            # A handler that waits for its caller gets `ConnectionLost` when the caller leaves. A
            # peer must not be able to fill the log with tracebacks, and no response can be sent.
            rest = without(exc, ConnectionLost)
            if rest is None:
                return Error.of(ErrorCode.CANCELLED)
            exc = rest
        remains = unanswered(exc, method)
        if remains is not None:
            raise remains
        return describe(exc, method, debug=shared.debug, is_plain=self._is_plain)

    def _cancelled(self) -> Error:
        if self.is_cancelled:
            return self._why_cancelled()
        self._note_cancelled("deadline")
        return Error.of(ErrorCode.DEADLINE_EXCEEDED, {"by": self.deadline.by})

    def _why_cancelled(self) -> Error:
        if self.is_revoked:
            return self.shared.identity.revoked(_LOGIN_ENDED)
        return cancelled(self.cancel_reason)

    def end_message(self, outcome: bytes | Error) -> bytes | None:
        """Make the response to a stream, after its last item was sent."""
        if self.outbox is not None and self.outbox.has_dropped:
            # It was cancelled. Its own outcome is true only of a stream whose items all arrived.
            outcome = self._why_cancelled()
        return self.call.end_message(outcome)

    async def handle(self) -> object:
        """Run the handler itself, inside of the interceptors."""
        method = self.endpoint.method
        if self.runner is not None:
            return await self.runner.handle()
        if not method.is_async and not method.in_thread:
            return self._call_inline()
        if self.once is not None:
            self.once.check()
            self.once.is_done = True
        args, kwargs = self.decode()
        try:
            if method.is_async:
                handler = self.endpoint.function(*args, **kwargs)
                return await self.timed(handler)
            # A thread cannot be cancelled; the call is in flight until it has ended.
            call = functools.partial(self._call_in_thread, args, kwargs)
            return await trio.to_thread.run_sync(call, limiter=self.shared.threads)  # type: ignore[arg-type]  # Trio takes whatever has these two methods
        except RpcError as exc:
            raise self._guarded(exc) from None

    def timed(
        self, handler: Coroutine[Any, Any, T], source: object = None
    ) -> Coroutine[Any, Any, T]:
        """Time the steps of the handler if ``debug=True``; see `steps`."""
        if not self.shared.debug:
            return handler
        return timed(handler, self.endpoint.method.spec.wire_name, source)

    def _call_in_thread(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        self._check_principal()  # it may have waited for the thread
        return self.endpoint.function(*args, **kwargs)

    def _check_principal(self) -> None:
        """Refuse a call whose login has ended while it waited for its turn.

        Raises:
            RpcError: with the code of `Forbidden`.
        """
        if not self._is_permitted:
            code = ErrorCode.METHOD_FORBIDDEN
            data = None if self._is_plain else {"reason": _LOGIN_ENDED}
            self.refusal = RpcError.of(code, MESSAGES[code], data)
            raise self.refusal

    @property
    def _is_permitted(self) -> bool:
        access = self.endpoint.method.spec.access
        return not access.protected or self.shared.identity.still_may(self.principal, access)

    def _call_inline(self) -> object:
        args, kwargs = self.decode()
        began = perf_counter()
        try:
            return self.endpoint.function(*args, **kwargs)
        except RpcError as exc:
            raise self._guarded(exc) from None
        finally:
            took = perf_counter() - began
            if took > SLOW_SECONDS:
                _note_slow(self.endpoint.method.spec.wire_name, took)

    @property
    def _is_plain(self) -> bool:
        return not self.shared.link.protocol.is_greeted

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Hide errors with a code of the protocol that the handler raises in the block."""
        try:
            yield
        except RpcError as exc:
            raise self._guarded(exc) from None

    def _guarded(self, exc: RpcError) -> RpcError:
        """Replace an error of a handler that has a code of the protocol.

        The caller would read such a code as one about *this* call, and might repeat what has run.
        A handler that raises it got it from another call, which it made itself.
        """
        is_of_call = is_of_protocol(exc.code, is_plain=self._is_plain)
        if is_of_call and exc is not self.refusal:
            return redacted(exc, self.endpoint.method)
        return exc

    # Arguments and result

    def decode(self) -> tuple[list[object], dict[str, object]]:
        """Decode the arguments, by position and by name, as the handler takes them.

        Raises:
            InvalidArguments: they do not fit the contract.
        """
        arguments = self.endpoint.method.arguments
        if self._arguments is not None:
            return arguments.split(self._arguments)
        try:
            return arguments.decode(self.call.params)
        except Faults as faults:
            raise self._refuse(faults) from None

    def _read_arguments(self) -> dict[str, object]:
        if self._arguments is None:
            try:
                self._arguments = self.endpoint.method.arguments.read(self.call.params)
            except Faults as faults:
                raise self._refuse(faults) from None
        return self._arguments

    def _refuse(self, faults: Faults) -> InvalidArguments:
        self.refusal = refusal = invalid_arguments(faults)
        return refusal

    def accept_uploads(self) -> Error | None:
        """Open the uploads of the caller, whose items may come before the handler has started.

        Returns:
            The response, if the arguments are wrong.
        """
        self.uploads = uploads = ReceivedUploads(self.shared.link, self._refuse)
        if self.runner is None:
            self.once = Once("call", self.endpoint.method.spec.wire_name)
        try:
            given = self._read_arguments()
            for name, codec in self.endpoint.method.uploads.items():
                if name in given:
                    given[name] = uploads.accept(name, given[name], codec)
        except Faults as faults:
            uploads.end()
            return self._failed(self._refuse(faults))
        except BaseException as exc:  # noqa: BLE001 - whatever a validator raises is answered
            return self._failed(exc)
        return None

    def encode(self, value: object) -> bytes:
        """Encode what the handler returned.

        Raises:
            EncodeError: it is not of its type.
            ReplyTooLarge: it nests too deep.
        """
        try:
            return self.endpoint.method.result.encode(value)
        except TooDeep:
            raise self.too_large(exceeded("depth", MAX_DEPTH)) from None

    def too_large(self, limit: Mapping[str, str | int]) -> ReplyTooLarge:
        """Make the exception for a response that is over a limit of its message."""
        code = ErrorCode.REPLY_TOO_LARGE
        self.refusal = refusal = ReplyTooLarge(code, MESSAGES[code], limit)
        return refusal


def _note_slow(name: str, seconds: float) -> None:
    if name not in _slow_methods:
        _slow_methods.add(name)
        logger.warning(
            "%s is a plain def and took %.0f ms, in which nothing else could run;"
            " make it async or faster (logged once)",
            name,
            seconds * 1000,
        )
