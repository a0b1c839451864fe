"""A session: what a client shares with one server, and how its calls are made."""

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
    """A client's side of what it shares with one server.

    Made by `connect`. Calls may be made by any number of tasks at once.
    """

    def __init__(self, url: str, link: Link, caller: LinkCaller, login: ClientLogin) -> None:
        self._url = url
        self._link = link
        self._caller = caller
        self._login = login
        self._is_left = False

    def __repr__(self) -> str:
        return f"<Session with {self._url}, {self.state.value}>"

    @property
    def state(self) -> SessionState:
        """Where it stands."""
        return SessionState.CLOSED if self._is_left else _SESSION_STATES[self._link.state]

    @property
    def connection(self) -> Connection | None:
        """The live link, or None while there is none."""
        return None if self._link.is_closed else self._caller.connection

    def statistics(self) -> ConnectionStatistics:
        """Take a snapshot of the counts of its link."""
        return self._link.statistics()

    async def login(self, login: object = None) -> None:
        """Log in, such as when the last login has expired, or as somebody else.

        Until then calls of what needs a login raise `Forbidden`, and the subscriptions that ended
        with the last login have ended; subscribe again behind this.

        Args:
            login: As for `connect`; without it the one that `connect` was given.

        Raises:
            ConnectFailed: the server refuses the login, knows none, does not answer in the time
                of a handshake, or has hung up. A refused login changes nothing.
            EncodeError: `login` cannot cross the wire.
            ValueError: there is no login, neither here nor at `connect`.

        Cancellation:
            The server is asked to end the login, as any call; it may have counted it as failed.
        """
        await self._login.perform(login)

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.

        Cancellation:
            The ping may have been sent; its pong is ignored when it comes.
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
            returns: The type of the result; without it any JSON value comes back as it is. Type
                checkers understand classes, such as ``int`` or ``list[Quote]``; where it is
                another type, as ``int | None``, annotate what the result is assigned to.
            arguments: Sent as an object, like `kwargs`; for names that this method uses itself.
            kwargs: Sent as an object.

        Returns:
            The result; of a stream the list of all its items.

        Raises:
            RpcError: the server answered with an error.
            ConnectionLost: the link ended first.
            EncodeError: an argument cannot cross the wire.
            InvalidResult: the result is not of the type that `returns` names.
            TypeError: arguments both by position and by name, or values of `returns` cannot cross
                the wire.

        Cancellation:
            A farcall server is asked to cancel the handler, and its answer awaited for at most
            0.5 s; an outcome that came first is returned all the same. At a plain server the
            call goes on, and its answer is dropped when it comes.

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
        """Call a method and want no answer; see `call` for the arguments, and what is raised.

        Cancellation:
            Cancelled at its one checkpoint, it has sent nothing.
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
        """Listen to a signal, or an event of a plain server, for which there is no stub.

        An event of one parameter gives that value, of none None, of several a tuple, one with
        named parameters a dict.

        Args:
            name: The wire name.
            returns: The type of the values, as for `call`; without it they come as they are.
            key: Only values with this key. Plain servers know none.
            on_lag: See `BoundRemoteSignal.subscribe`.

        Returns:
            A context manager that gives the `Subscription`; see there.

        A plain server that answers ``rpc.on`` with an error may send the notifications all the
        same, as many do after a call of their own; so this listens, unless the error refuses the
        event. `listen` asks for nothing.

        Raises:
            MethodNotFound: the server has no such signal or event.
            Forbidden: the server refuses the event.
            NotSupported: a key, towards a plain server.
            TypeError: values of `returns` cannot cross the wire.

        Cancellation:
            The server is told to stop, and its answer awaited for at most 0.5 s.
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
        """Take the notifications of a name that the server sends by itself; ask it for nothing.

        Many servers of plain JSON-RPC send their events unasked, or after a call of their own. A
        method of that name in ``serves=`` gets them, too. A farcall server emits its signals only
        to those who `subscribe`.

        Args:
            name: The ``method`` of the notifications.
            returns: The type of the values, as for `call`; without it they come as they are.
            on_lag: See `BoundRemoteSignal.subscribe`.

        Returns:
            A context manager that gives the `Subscription`, with values as those of `subscribe`.
            What comes before the block begins is not kept.

        Raises:
            ConnectionLost: the link has ended. Iterating raises it as well, when it ends later.
            TypeError: values of `returns` cannot cross the wire.

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
            returns: The type of the items, as for `call`; without it any JSON values come as they
                are.
            arguments: Sent as an object, like `kwargs`; for names that this method uses itself.
            kwargs: Sent as an object.

        Returns:
            A context manager that gives an async iterator over the items. Left, it has asked the
            server to stop, and waited for its answer, 0.5 s at most. A plain server answers with
            an array; its items are given one by one.

        Raises:
            RpcError: the server answered with an error, also while iterating.
            ConnectionLost: the link has ended, also while iterating.
            EncodeError: an argument cannot cross the wire.
            InvalidResult: it is a method and no stream, or, while iterating, an item is not of the
                type that `returns` names.
            TypeError: arguments both by position and by name, or values of `returns` cannot cross
                the wire.
        """
        named = _named(name, "name", arguments, kwargs)
        return self._caller.stream(name, args, named, _codec_of(returns))

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy of a service: from a stub, or typed by the service class itself.

        Raises:
            ContractMismatch: under ``contract="strict"``, when calls of the proxy can fail.
            NotSupported: a service class that has plain ``def`` endpoints; use its stub.
            DeclarationError: the class is neither a stub nor a service.
            TypeError: it is no class.
        """
        return self._caller.proxy(proxy)

    def _leave(self) -> None:
        """Note that its block has ended."""
        self._is_left = True


def _named(
    method: object, role: str, arguments: object, kwargs: Mapping[str, object]
) -> Mapping[str, object]:
    """Put the arguments by name together, of those that have a name and those in ``arguments=``."""
    check_text(role, method)
    if arguments is None:
        return kwargs
    write = 'arguments={"method": 5}'
    check_instance("arguments=", arguments, Mapping, "a mapping by name", write)
    named = cast("Mapping[Any, Any]", arguments)
    for name in named:
        check_text("each key of arguments=", name, write=write, may_be_empty=True)
        if name in kwargs:
            raise TypeError(f"the argument {name!r} is there twice; leave it out of arguments=")
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
