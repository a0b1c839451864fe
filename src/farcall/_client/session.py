"""A session: a client's link to one server, its login, and calls without a stub."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, TypeVar, cast, overload

from farcall._calling.calls import LinkCaller
from farcall._client.login import ClientLogin
from farcall._codec import Codec, codec_of
from farcall._connection.link import Link
from farcall._connection.state import ConnectionState, ConnectionStatistics
from farcall._context import Connection
from farcall._contract.spec import UnsupportedType
from farcall._signals import KeyValue, OnLag, Subscription, check_on_lag
from farcall._usage.live import Live
from farcall._usage.options import check_instance, check_text

T = TypeVar("T")
ProxyT = TypeVar("ProxyT")


class SessionState(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    DRAINING = "draining"
    LOST = "lost"
    CLOSED = "closed"


class Session(Live):
    """Call one server, with or without stubs; made by `connect`.

    Any number of tasks may call at once.
    """

    def __init__(self, url: str, link: Link, caller: LinkCaller, login: ClientLogin) -> None:
        self._url = url
        self._link = link
        self._caller = caller
        self._login = login
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Session with {self._url}, {self.state.value}>"

    @property
    def state(self) -> SessionState:
        """Where it stands."""
        return SessionState.CLOSED if self._is_closed else _SESSION_STATES[self._link.state]

    @property
    def connection(self) -> Connection | None:
        """The live connection, or None after its end."""
        return None if self._link.is_closed else self._caller.connection

    def statistics(self) -> ConnectionStatistics:
        """Return a snapshot of the counts of its connection."""
        return self._link.statistics()

    async def login(self, login: object = None) -> None:
        """Log in, for instance after the last login has expired, or as another user.

        When a login expires, calls that need one raise `Forbidden`, and subscriptions that need one
        end; subscribe again after this.

        Args:
            login: As for `connect`; None for the one given to `connect`.

        Raises:
            ConnectFailed: the server refuses the login, knows no logins, does not respond within
                `Limits.handshake_seconds`, or has hung up. A refused login changes nothing.
            EncodeError: `login` cannot cross the wire.
            ValueError: neither this nor `connect` got a login.

        Cancellation:
            The server is asked to cancel the login, as any call; it may count it as a failed one.
        """
        await self._login.perform(login)

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.

        Cancellation:
            The ping may have been sent; its pong is ignored.
        """
        return await self._link.ping()

    @overload
    async def call(
        self,
        method: str,
        /,
        *args: object,
        returns: type[T],
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> T: ...

    @overload
    async def call(
        self,
        method: str,
        /,
        *args: object,
        returns: object = ...,
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any: ...

    async def call(
        self,
        method: str,
        /,
        *args: object,
        returns: object = Any,
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any:
        """Call a method for which there is no stub.

        Args:
            method: The wire name.
            args: Sent as an array.
            returns: The type of the result; without it any JSON value is returned as it is. Type
                checkers understand classes, such as ``int`` or ``list[Quote]``; for another type,
                such as ``int | None``, annotate the variable of the result.
            arguments: Sent as an object, like `kwargs`; for names that are parameters here.
            kwargs: Sent as an object.

        Returns:
            The result; for a stream the list of all its items.

        Raises:
            RpcError: the server responded with an error.
            ConnectionLost: the link ended first.
            EncodeError: an argument cannot cross the wire.
            InvalidResult: the result is not of the type `returns`.
            TypeError: arguments both by position and by name, or a type that cannot cross the
                wire in `returns`.

        Cancellation:
            A farcall server is asked to cancel the handler, and its response awaited for at most
            0.5 s; a result that comes first is returned. At a plain server the call goes on, and
            its response is dropped.

        >>> import trio
        >>> from farcall import functions
        >>> from farcall.testing import open_pair
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> async def main() -> None:
        ...     async with open_pair(functions(add, name="")) as (session, _):
        ...         print(await session.call("add", 2, 3, returns=int))
        ...         print(await session.call("add", a=2, b=5))
        >>> trio.run(main)
        5
        7
        """
        named = _named(method, "method", arguments, kwargs)
        return await self._caller.call(method, args, named, _codec_of(returns))

    async def notify(
        self,
        method: str,
        /,
        *args: object,
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> None:
        """Send a notification: a call without a response. See `call` for arguments and errors.

        Cancellation:
            Cancelled, it has sent nothing.
        """
        await self._caller.notify(method, args, _named(method, "method", arguments, kwargs))

    @overload
    def subscribe(
        self,
        name: str,
        /,
        *,
        returns: type[T],
        key: KeyValue | None = None,
        on_lag: OnLag = "raise",
    ) -> AbstractAsyncContextManager[Subscription[T]]: ...

    @overload
    def subscribe(
        self,
        name: str,
        /,
        *,
        returns: object = ...,
        key: KeyValue | None = None,
        on_lag: OnLag = "raise",
    ) -> AbstractAsyncContextManager[Subscription[Any]]: ...

    def subscribe(
        self,
        name: str,
        /,
        *,
        returns: object = Any,
        key: KeyValue | None = None,
        on_lag: OnLag = "raise",
    ) -> AbstractAsyncContextManager[Subscription[Any]]:
        """Subscribe to a signal, or an event of a plain server, for which there is no stub.

        The value of an event is its one parameter; for no parameter None, for several a tuple, for
        named ones a dict.

        Args:
            name: The wire name.
            returns: The type of the values, as for `call`; without it they come as they are.
            key: Only values with this key. Plain servers have no keys.
            on_lag: See `BoundRemoteSignal.subscribe`.

        Returns:
            A context manager that gives the `Subscription`; see there.

        A plain server without ``rpc.on`` may send the notifications nevertheless, often after some
        other call; so this listens to them, unless the error of ``rpc.on`` refuses the event.
        `listen` sends nothing.

        Raises:
            MethodNotFound: the server has no such signal or event.
            Forbidden: the server refuses the event.
            NotSupported: a key, at a plain server.
            TypeError: a type that cannot cross the wire in `returns`.

        Cancellation:
            The server is asked to end the subscription, and its response awaited for at most 0.5 s.
        """
        check_text("name", name)
        check_on_lag(on_lag)
        return self._caller.subscribe_signal(name, _codec_of(returns), key=key, on_lag=on_lag)

    @overload
    def listen(
        self, name: str, /, *, returns: type[T], on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[T]]: ...

    @overload
    def listen(
        self, name: str, /, *, returns: object = ..., on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[Any]]: ...

    def listen(
        self, name: str, /, *, returns: object = Any, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[Any]]:
        """Listen to the notifications of a name that the server sends unasked; send nothing.

        Many plain JSON-RPC servers send their events to every client, or after some other call. A
        method of that name in ``serves=`` gets them, too. A farcall server emits only to
        subscribers: use `subscribe` there.

        Args:
            name: The ``method`` of the notifications.
            returns: The type of the values, as for `call`; without it they come as they are.
            on_lag: See `BoundRemoteSignal.subscribe`.

        Returns:
            A context manager that gives the `Subscription`, with values as those of `subscribe`.
            Notifications before the block are dropped.

        Raises:
            ConnectionLost: the link has ended, also while iterating.
            TypeError: a type that cannot cross the wire in `returns`.

        Cancellation:
            Nothing was sent, so there is nothing to end.
        """
        check_text("name", name)
        check_on_lag(on_lag)
        return self._caller.listen(name, _codec_of(returns), on_lag=on_lag)

    @overload
    def stream(
        self,
        name: str,
        /,
        *args: object,
        returns: type[T],
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> AbstractAsyncContextManager[AsyncIterator[T]]: ...

    @overload
    def stream(
        self,
        name: str,
        /,
        *args: object,
        returns: object = ...,
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]: ...

    def stream(
        self,
        name: str,
        /,
        *args: object,
        returns: object = Any,
        arguments: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Call a stream for which there is no stub.

        Args:
            name: The wire name.
            args: Sent as an array.
            returns: The type of the items, as for `call`; without it they come as they are.
            arguments: Sent as an object, like `kwargs`; for names that are parameters here.
            kwargs: Sent as an object.

        Returns:
            A context manager that gives an async iterator over the items. After the block it asks
            the server to end the stream and waits for the response, 0.5 s at most. A plain server
            responds with an array, whose items come one by one.

        Raises:
            RpcError: the server responded with an error, also while iterating.
            ConnectionLost: the link has ended, also while iterating.
            EncodeError: an argument cannot cross the wire.
            InvalidResult: it is a method, not a stream, or, while iterating, an item is not of the
                type `returns`.
            TypeError: arguments both by position and by name, or a type that cannot cross the
                wire in `returns`.
        """
        named = _named(name, "name", arguments, kwargs)
        return self._caller.stream(name, args, named, _codec_of(returns))

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy of a service, from its stub or the service class itself.

        Raises:
            ContractMismatch: with ``contract="strict"``, if calls of the proxy can fail.
            NotSupported: a service class with plain ``def`` endpoints; use its stub.
            DeclarationError: the class is neither a stub nor a service.
            TypeError: it is not a class.
        """
        return self._caller.proxy(proxy)

    def _note_closed(self) -> None:
        self._is_closed = True


def _named(
    method: object, role: str, arguments: object, kwargs: Mapping[str, object]
) -> Mapping[str, object]:
    """Join the keyword arguments and those in ``arguments=``."""
    check_text(role, method)
    if arguments is None:
        return kwargs
    write = 'arguments={"method": 5}'
    check_instance("arguments=", arguments, Mapping, "a mapping by name", write)
    named = cast("Mapping[str, object]", arguments)
    for name in named:
        check_text("each key of arguments=", name, write=write, may_be_empty=True)
        if name in kwargs:
            raise TypeError(f"the argument {name!r} was passed twice; leave it out of arguments=")
    return {**named, **kwargs}


def _codec_of(returns: object) -> Codec[Any]:
    try:
        return codec_of(returns)
    except UnsupportedType as exc:
        raise TypeError(f"returns={inspect.formatannotation(returns)}: {exc}") from exc


_SESSION_STATES: Mapping[ConnectionState, SessionState] = {
    ConnectionState.CONNECTING: SessionState.CONNECTING,
    ConnectionState.OPEN: SessionState.OPEN,
    ConnectionState.DRAINING: SessionState.DRAINING,
    ConnectionState.CLOSING: SessionState.CLOSED,
    ConnectionState.CLOSED: SessionState.LOST,
}
