"""One call of the peer while it is served: its scope, its deadline, its one answer."""

from __future__ import annotations

import contextvars
import functools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import attrs
import trio

from farcall._call import CallContext, Connection, handled
from farcall._codec import Faults, TooDeep
from farcall._connection.item_queue import ItemQueue
from farcall._connection.link import Link
from farcall._connection.statistics import ConnectionState
from farcall._endpoints import Endpoint
from farcall._failures import describe, invalid_arguments, redacted, unanswered, without
from farcall._intercept import Interceptor, intercepted, proceeded_twice
from farcall._limits import MAX_DEPTH
from farcall._order import ThreadLine, in_turn
from farcall._protocol.conversation import shown
from farcall._protocol.messages import MESSAGES, Error
from farcall._protocol.state import IncomingCall
from farcall._serve.uploads import ReceivedUploads
from farcall.errors import (
    RESERVED_CODES,
    ConnectionLost,
    ErrorCode,
    InvalidArguments,
    ReplyTooLarge,
    RpcError,
)

logger = logging.getLogger("farcall")

SLOW_SECONDS = 0.05
"""An inline method that takes longer holds up everybody; long enough not to blame a busy CPU."""

_slow_methods: set[str] = set()
"""Those already logged; as many as there are inline methods."""


@attrs.frozen
class Deadline:
    """When a call has to end, and whose limit that is."""

    at: float
    by: str

    @classmethod
    def of(cls, call: IncomingCall | None, longest: float) -> Deadline:
        """Take the earlier one of what the caller said and what the server allows.

        Args:
            call: The caller's call; None for one that wants no answer.
            longest: What the server allows, in seconds.
        """
        now = trio.current_time()
        timeout = None if call is None else call.timeout
        if timeout is None or longest < timeout / 1000:
            return cls(now + longest, "server")
        return cls(now + timeout / 1000, "caller")


class ServedCall:
    """A call of the peer, from its start to its outcome.

    Args:
        connection: Where it came from.
        endpoint: What serves it.
        call: Its entry in the protocol's table; None for one that wants no answer.
        params: JSON text, or None.
        deadline: When it has to end.
        debug: Whether notes and tracebacks of a failure travel.
        threads: Where a method that runs in a thread waits for one.
    """

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        call: IncomingCall | None,
        params: bytes | None,
        deadline: Deadline,
        *,
        debug: bool = False,
        threads: ThreadLine | None = None,
    ) -> None:
        self.call = call
        self.endpoint = endpoint
        self.size = 0 if params is None else len(params)
        """In bytes, of its parameters."""
        self.queue: ItemQueue | None = None
        """What has to leave before the answer: the items of a stream."""
        self._params = params
        self._deadline = deadline
        self._debug = debug
        self._threads = threads
        self._scope = trio.CancelScope(deadline=deadline.at)
        self._is_cancelled = False
        """Whether by somebody, rather than by its deadline."""
        self._given: dict[str, Any] | None = None
        self._uploads: ReceivedUploads | None = None
        self._refusal: RpcError | None = None
        self._has_read = False
        """Whether a handler was given the uploads, of which nothing comes again."""
        self.context = CallContext(
            connection,
            endpoint.method.spec.wire_name,
            is_served=True,
            principal=connection.principal,
            deadline=deadline.at,
            read=self._arguments,
        )

    def cancel(self, reason: str) -> None:
        """Cancel the handler; a second time changes nothing."""
        if not self._scope.cancel_called:
            self._is_cancelled = True
            self._note_cancelled(reason)
            self._scope.cancel()

    def _note_cancelled(self, reason: str) -> None:
        context = self.context
        peer = context.connection.peer
        logger.debug("%s: %s is cancelled (%s)", peer, context.method, shown(reason))
        context._note_cancelled(reason)

    async def run(
        self, interceptors: Sequence[Interceptor], order: trio.Lock | None
    ) -> bytes | Error:
        """Run the handler, and say how the call has ended; raises nothing.

        A handler that was cancelled and returns or raises all the same has the last word.

        Args:
            interceptors: To run it in, the first one outermost.
            order: Held while it runs; its waiters go in the order in which they came.
        """
        if self._scope.cancel_called:  # its caller left before it began, so it must not begin
            return self._cancelled()
        try:
            with handled(self.context), self._scope:
                async with in_turn(order) if order else nullcontext():
                    return self._encode(await self._pass(interceptors))
        except BaseException as exc:  # noqa: BLE001 - whatever a handler raises is answered
            return self._failed(exc)
        return self._cancelled()

    def run_inline(self) -> bytes | Error:
        """Run a plain ``def`` here and now; see `run`."""
        if self._scope.cancel_called:
            return self._cancelled()
        return contextvars.copy_context().run(self._run_inline)

    def _run_inline(self) -> bytes | Error:
        try:
            with handled(self.context):
                return self._encode(self._call_inline())
        except BaseException as exc:  # noqa: BLE001 - as above
            return self._failed(exc)

    def _failed(self, exc: BaseException) -> Error:
        """Make the answer of a call that has failed; what is not about the call goes on."""
        method = self.endpoint.method
        if self.context.connection.state is ConnectionState.CLOSED:
            # What the handler waited for from its caller ends in this: a peer that leaves must
            # not be able to write tracebacks into the log. There is nobody to be answered.
            rest = without(exc, ConnectionLost)
            if rest is None:
                return Error.of(ErrorCode.CANCELLED)
            exc = rest
        remains = unanswered(exc, method)
        if remains is not None:
            raise remains
        return describe(exc, method, debug=self._debug)

    def _cancelled(self) -> Error:
        if self._is_cancelled:
            return Error.of(ErrorCode.CANCELLED)
        self._note_cancelled("deadline")
        return Error.of(ErrorCode.DEADLINE_EXCEEDED, {"by": self._deadline.by})

    async def _pass(self, interceptors: Sequence[Interceptor]) -> Any:
        if interceptors:
            return await intercepted(interceptors, self.context, self._handle)
        return await self._handle()

    async def _handle(self) -> Any:
        """Run the handler itself, at the heart of the interceptors."""
        method = self.endpoint.method
        if not method.is_async and not method.in_thread:
            return self._call_inline()
        if self._has_read:
            raise proceeded_twice(self.context)
        self._has_read = self._uploads is not None
        args, kwargs = self._decode()
        call = functools.partial(self.endpoint.function, *args, **kwargs)
        with self._guard():
            # A thread cannot be cancelled; the call is in flight until it has ended.
            if method.in_thread:
                return await trio.to_thread.run_sync(call, limiter=self._threads)  # type: ignore[arg-type]  # Trio takes whatever has these two methods
            return await call()

    def _call_inline(self) -> Any:
        args, kwargs = self._decode()
        began = time.perf_counter()
        try:
            with self._guard():
                return self.endpoint.function(*args, **kwargs)
        finally:
            _note_slow(self.context.method, time.perf_counter() - began)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Keep a handler from saying what only the protocol may say.

        A code of the protocol means something about *this* call. Raised by a handler it is about
        another one, which the handler made; told as it is, a caller would repeat what has run.
        """
        try:
            yield
        except RpcError as exc:
            if exc.code in RESERVED_CODES and exc is not self._refusal:
                raise redacted(exc, self.endpoint.method) from None
            raise

    def _decode(self) -> tuple[list[Any], dict[str, Any]]:
        return self.endpoint.method.arguments.split(self._arguments())

    def _arguments(self) -> dict[str, Any]:
        if self._given is None:
            try:
                self._given = self.endpoint.method.arguments.read(self._params)
            except Faults as faults:
                raise self._refuse(faults) from None
        return self._given

    def _refuse(self, faults: Faults) -> InvalidArguments:
        """Make the exception for what the caller did wrong; kept, to be told from others."""
        refusal = invalid_arguments(faults)
        self._refusal = refusal
        return refusal

    def accept_uploads(self, link: Link) -> None:
        """Take what the caller sends as streams: it may come before the handler has started.

        Raises:
            InvalidArguments: the arguments are wrong.
        """
        self._uploads = ReceivedUploads(link, self._refuse)
        given = self._arguments()
        try:
            for name, codec in self.endpoint.method.uploads.items():
                if name in given:
                    given[name] = self._uploads.accept(name, given[name], codec)
        except Faults as faults:
            self.end_uploads()
            raise self._refuse(faults) from None

    def end_uploads(self) -> None:
        """Drop what the caller still sends: the call has ended."""
        if self._uploads is not None:
            self._uploads.end()

    def _encode(self, value: Any) -> bytes:
        try:
            return self.endpoint.method.result.encode(value)
        except TooDeep:
            raise self._too_large({"limit": "depth", "most": MAX_DEPTH}) from None

    def _too_large(self, limit: Mapping[str, str | int]) -> ReplyTooLarge:
        """Make the exception for what is over a limit of the messages to the caller."""
        code = ErrorCode.REPLY_TOO_LARGE
        refusal = ReplyTooLarge(code, MESSAGES[code], limit)
        self._refusal = refusal
        return refusal


def _note_slow(name: str, seconds: float) -> None:
    if seconds > SLOW_SECONDS and name not in _slow_methods:
        _slow_methods.add(name)
        logger.warning(
            "%s is a plain def and took %.0f ms, in which nothing else could run;"
            " make it async, or quicker (logged once)",
            name,
            seconds * 1000,
        )
