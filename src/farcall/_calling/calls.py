"""Calling over one link: interceptors, codec, link, and back.

``await nursery.start(proxy.method, ...)`` passes a status object of Trio to the proxy. It stays on
this side; the handler gets another one, whose value comes back in ``rpc.started``.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import trio

from farcall._calling.contracts import ContractCheck, Contracts
from farcall._calling.proxy import check_proxy, proxy_over
from farcall._calling.streams import Download, call_stream, open_download
from farcall._calling.subscriptions import Subscriber
from farcall._calling.uploads import SentUploads, can_repeat, open_uploads
from farcall._codec import Codec, encode_untyped
from farcall._connection.call import OnStarted, RemoteFailure
from farcall._connection.calls import handling
from farcall._connection.link import Link
from farcall._connection.streams import Inbox
from farcall._context import (
    ArgumentsByName,
    CallContext,
    CallKind,
    Connection,
)
from farcall._declare import Method
from farcall._declare.tasks import STATUS
from farcall._failures import decoded
from farcall._identity import Identity
from farcall._interceptors import Failure, Interceptor, Once, Open, intercepted, intercepted_scope
from farcall._scopes import effective_deadline
from farcall._signals import OnLag, Subscription, failure_of
from farcall._usage.home import not_in_trio
from farcall._usage.opening import Opening, advice_on_signal, advice_on_stream
from farcall.errors import EncodeError

T = TypeVar("T")
ProxyT = TypeVar("ProxyT")


class LinkCaller:
    """Makes the calls of proxies and sessions over one link.

    Args:
        link: The link.
        interceptors: Around each call, the first one outermost.
        check: What to do about a stub whose calls can fail.
        name: Of the peer, for the log.
    """

    def __init__(
        self, link: Link, interceptors: Sequence[Interceptor], check: ContractCheck, name: str
    ) -> None:
        self._link = link
        self._interceptors = interceptors
        self.contracts = Contracts(link, check, name)
        self.identity = Identity(link)
        """Of the peer."""
        self.connection = Connection(link, self, self.identity)
        self.subscriber = Subscriber(link, self.contracts)

    def __repr__(self) -> str:
        return repr(self.connection)

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy; see `Connection.proxy`."""
        check_proxy(proxy)
        self.contracts.compare(proxy)
        return proxy_over(self, proxy)

    # Calling

    async def call_method(
        self, method: Method, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Any:
        """Call a method of known types: encode, send, wait, decode.

        Raises:
            TypeError: the arguments do not match the signature.
            EncodeError: an argument is not of its type.
            ApplicationError: one that the method declares.
            RpcError: any other error of the peer.
            InvalidResult: the result is not of its type.
            ConnectionLost: the link ended first.
        """
        if self._interceptors or method.started is not None or method.uploads:
            return await self._call_around(method, args, kwargs)
        name, trace = method.spec.wire_name, _trace()
        params = _encode(method, args, kwargs, not self._link.protocol.is_greeted)
        if method.spec.oneway:
            return await self._link.calls.notify(name, params, traceparent=trace)
        try:
            text = await self._link.calls.call(name, params, traceparent=trace)
        except RemoteFailure as failure:
            error = await self._error_of(failure, method, name)
            raise error from error.__cause__
        return decoded(method.result, text, name=name, at="result")

    async def _call_around(
        self, method: Method, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Any:
        """Make a call with interceptors, uploads or the status of a task around it."""
        context = self._context(method.spec.wire_name, lambda: _bind(method, args, kwargs))
        once = Once(context.kind, context.method)
        kwargs, on_started = _without_status(method, kwargs, once)

        async def core() -> Any:
            once.check()
            if not method.uploads:
                params = _encode(method, args, kwargs, self._is_plain)
                return await self._request_method(context, method, SentUploads(params), on_started)
            bound = _bind(method, args, kwargs)
            once.is_done = not can_repeat(method, bound)
            async with open_uploads(self._link, method, bound) as sent:
                return await self._request_method(context, method, sent, on_started)

        return await self._intercepted(context, core)

    async def _request_method(
        self,
        context: CallContext,
        method: Method,
        sent: SentUploads,
        on_started: OnStarted | None,
    ) -> Any:
        if method.spec.oneway:
            return await self._notify(context, sent.params)
        text = await self._request(context, sent, method, on_started)
        return decoded(method.result, text, name=context.method, at="result")

    def open_stream(
        self, method: Method, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Call a stream of known types; see `call_stream`."""
        bound = _bind(method, args, kwargs)
        context = self._context(method.spec.wire_name, lambda: bound, "stream")
        once = Once(context.kind, context.method)

        def begin() -> AbstractAsyncContextManager[Inbox[Any]]:
            once.check()
            once.is_done = not can_repeat(method, bound)
            return call_stream(self._link, method, bound, self.contracts, context.trace)

        advice = advice_on_stream(context.method, f"proxy.{method.attribute}(...)")
        return Opening(self._scoped(context, begin, _inbox_failure), advice)

    def stream(
        self, name: str, args: Sequence[object], kwargs: Mapping[str, object], returns: Codec[T]
    ) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        """Call a stream for which there is no stub; see `open_download`."""
        params = untyped_params(name, args, kwargs, self._is_plain)
        context = self._context(name, lambda: _by_name(args, kwargs), "stream")
        download = Download(name, returns, self.contracts)
        opened = self._scoped(
            context,
            lambda: open_download(self._link, download, SentUploads(params), context.trace),
            _inbox_failure,
        )
        return Opening(opened, advice_on_stream(name, f'session.stream("{name}")'))

    async def call(
        self, name: str, args: Sequence[object], kwargs: Mapping[str, object], returns: Codec[T]
    ) -> T:
        """Call a method for which there is no stub; see `call_method`."""
        context = self._context(name, lambda: _by_name(args, kwargs))

        async def core() -> T:
            params = untyped_params(name, args, kwargs, self._is_plain)
            text = await self._request(context, SentUploads(params), on_started=_ignore_start)
            return decoded(returns, text, name=name, at="result")

        return await self._intercepted(context, core)

    async def notify(self, name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """Send a notification for which there is no stub."""
        context = self._context(name, lambda: _by_name(args, kwargs))

        async def core() -> None:
            await self._notify(context, untyped_params(name, args, kwargs, self._is_plain))

        await self._intercepted(context, core)

    def subscribe_signal(
        self, name: str, codec: Codec[T], *, key: object, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe to a signal whose values have a known type."""
        context = self._context(name, lambda: {"key": key, "on_lag": on_lag}, "subscription")

        def begin() -> AbstractAsyncContextManager[Subscription[T]]:
            trace = context.trace
            return self.subscriber.subscribe(name, codec, key=key, on_lag=on_lag, trace=trace)

        return Opening(self._scoped(context, begin, failure_of), advice_on_signal(name))

    def listen(
        self, name: str, codec: Codec[T], *, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Listen to the notifications of a name; to interceptors it is a subscription."""
        context = self._context(name, lambda: {"key": None, "on_lag": on_lag}, "subscription")

        def begin() -> AbstractAsyncContextManager[Subscription[T]]:
            return self.subscriber.listen(name, codec, on_lag=on_lag)

        return self._scoped(context, begin, failure_of)

    @property
    def _is_plain(self) -> bool:
        return not self._link.is_greeted

    def _scoped(
        self, context: CallContext, begin: Open[T], failure: Failure[T]
    ) -> AbstractAsyncContextManager[T]:
        if not self._interceptors:
            return begin()
        return intercepted_scope(self._interceptors, context, begin, failure)

    def _context(
        self, name: str, read: Callable[[], ArgumentsByName], kind: CallKind = "call"
    ) -> CallContext:
        try:
            deadline = effective_deadline()
        except RuntimeError:
            raise not_in_trio(name) from None
        return CallContext(
            self.connection, name, kind, deadline=deadline, trace=_trace(), read=read
        )

    async def _intercepted(self, context: CallContext, core: Callable[[], Awaitable[T]]) -> T:
        if not self._interceptors:
            return await core()
        result: T = await intercepted(self._interceptors, context, core)
        return result

    async def _notify(self, context: CallContext, params: bytes | None) -> None:
        await self._link.calls.notify(context.method, params, traceparent=context.trace)

    async def _request(
        self,
        context: CallContext,
        sent: SentUploads,
        method: Method | None = None,
        on_started: OnStarted | None = None,
    ) -> bytes:
        try:
            return await self._link.calls.call(
                context.method,
                sent.params,
                uploads=sent.queues,
                traceparent=context.trace,
                on_started=on_started,
            )
        except RemoteFailure as failure:
            error = await self._error_of(failure, method, context.method)
            raise error from error.__cause__

    async def _error_of(
        self, failure: RemoteFailure, method: Method | None, name: str
    ) -> Exception:
        """Make the exception for an error; the caller's own deadline cancels, as in local code."""
        if failure.is_own_deadline and failure.deadline < math.inf:
            # The peer's clock was first; the scope of the caller is about to be cancelled.
            await trio.sleep_until(failure.deadline)
        return self.contracts.error_of(failure, method, name=name)


def _trace() -> str | None:
    served = handling.get(None)
    return None if served is None else served.trace


def _encode(
    method: Method, args: Sequence[object], kwargs: Mapping[str, object], is_plain: bool
) -> bytes | None:
    try:
        return method.arguments.encode(args, kwargs, is_plain=is_plain)
    except EncodeError as error:
        raise EncodeError(f"{method.spec.wire_name}: {error}") from error.__cause__
    except TypeError as error:
        raise TypeError(f"{method.spec.wire_name}: {error}") from None


def _bind(
    method: Method, args: Sequence[object], kwargs: Mapping[str, object]
) -> Mapping[str, object]:
    try:
        return method.arguments.bind(args, kwargs)
    except TypeError as error:
        raise TypeError(f"{method.spec.wire_name}: {error}") from None


def _inbox_failure(inbox: Inbox[object]) -> Exception | None:
    return inbox.failure


def _without_status(
    method: Method, kwargs: Mapping[str, Any], once: Once
) -> tuple[Mapping[str, object], OnStarted | None]:
    """Take the caller's status out of the arguments of a remote task.

    Returns:
        The arguments that cross, and what takes the value of ``rpc.started``; None for a method
        that is not a remote task.
    """
    codec = method.started
    if codec is None:
        return kwargs, None
    status: trio.TaskStatus[Any] = kwargs.get(STATUS, trio.TASK_STATUS_IGNORED)

    def on_started(text: bytes) -> None:
        once.is_done = True  # the task is in its nursery, and cannot start again
        status.started(decoded(codec, text, name=method.spec.wire_name, at="started"))

    return {name: value for name, value in kwargs.items() if name != STATUS}, on_started


def _ignore_start(_value: bytes) -> None:
    """Let a remote task start that was called without a stub, by `Session.call`."""


def untyped_params(
    name: str, args: Sequence[object], kwargs: Mapping[str, object], is_plain: bool
) -> bytes | None:
    """Write arguments of any JSON types.

    Raises:
        TypeError: arguments both by position and by name.
        EncodeError: one cannot cross the wire.
    """
    if args and kwargs:
        raise TypeError(
            f"{name}: JSON-RPC takes arguments by position or by name; write all of them one way"
        )
    if args:
        return encode_untyped(list(args), is_plain=is_plain)
    return encode_untyped(dict(kwargs), is_plain=is_plain) if kwargs else None


def _by_name(args: Sequence[object], kwargs: Mapping[str, object]) -> ArgumentsByName:
    return {**{str(index): value for index, value in enumerate(args)}, **kwargs}
