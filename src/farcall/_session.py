"""A session: what a client shares with one server, and how its calls are made."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeVar, cast, overload

import trio

from farcall._call import Connection, call_method, error_of
from farcall._codec import Codec, Faults, codec_of, encode_untyped
from farcall._connection.link import Link
from farcall._connection.pending import RemoteFailure
from farcall._connection.statistics import ConnectionState, ConnectionStatistics
from farcall._declare import Method, service_of
from farcall._protocol.messages import Error, Hello
from farcall._protocol.state import IncomingCall
from farcall._proxy import ClassProxy, Proxy
from farcall._signals import OnLag, Subscription
from farcall._subscribe import Subscriber
from farcall.errors import ContractMismatch, ErrorCode, InvalidResult

logger = logging.getLogger("farcall")

T = TypeVar("T")
ProxyT = TypeVar("ProxyT")

ContractCheck: TypeAlias = Literal["warn", "strict"]
"""What to do about a stub that was generated from another contract than the server's."""


class SessionState(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    DRAINING = "draining"
    LOST = "lost"
    CLOSED = "closed"


class ClientHandler:
    """What a client makes of the server's messages."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.subscriber = Subscriber(link)

    def on_open(self) -> None:
        """Nothing to do: whoever connects waits for that."""

    def on_draining(self) -> None:
        """Nothing runs here that would have to end."""

    def on_hello(self, _hello: Hello) -> None:
        """Nothing to do: whoever greeted waits for the answer."""

    def on_request(self, call: IncomingCall) -> None:
        """Answer a server that calls: nothing is served on this side."""
        self._link.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND))

    def on_notification(self, method: str, params: bytes | None) -> None:
        """Take a notification of plain JSON-RPC for an event: many servers send theirs so."""
        if not self._link.protocol.is_greeted:
            self.subscriber.on_event(method, params)

    def on_cancel(self, _call: IncomingCall, _reason: str) -> None:
        """Nothing runs here that could be cancelled."""

    def on_credit(self, _call: IncomingCall) -> None:
        """No stream leaves this side."""

    def on_event(self, name: str, params: bytes | None) -> None:
        """Hand an event to those who have subscribed to it."""
        self.subscriber.on_event(name, params)

    def on_closed(self) -> None:
        """End the subscriptions."""
        self.subscriber.on_closed()


class Session:
    """A client's side of what it shares with one server.

    Made by `connect`. Calls may be made by any number of tasks at once.
    """

    def __init__(self, url: str, link: Link, handler: ClientHandler, check: ContractCheck) -> None:
        self._url = url
        self._link = link
        self._subscriber = handler.subscriber
        self._check = check
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
        return None if self._link.is_closed else Connection(self._link)

    def statistics(self) -> ConnectionStatistics:
        """Take a snapshot of the counts of its link."""
        return self._link.statistics()

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.
        """
        return await self._link.ping()

    @overload
    async def call(
        self,
        method: str,
        /,
        *args: Any,
        returns: type[T],
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> T: ...

    @overload
    async def call(
        self,
        method: str,
        /,
        *args: Any,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any: ...

    async def call(
        self,
        method: str,
        /,
        *args: Any,
        returns: Any = Any,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a method for which there is no stub.

        Args:
            method: The wire name.
            args: Sent as an array.
            returns: The type of the result; without it any JSON value comes back as it is.
            arguments: Sent as an object, like `kwargs`; for names that this method uses itself.
            kwargs: Sent as an object.

        Returns:
            The result.

        Raises:
            RpcError: the server answered with an error.
            ConnectionLost: the link ended first.
            EncodeError: an argument cannot cross the wire.
            InvalidResult: the result is not of the type that `returns` names.
            TypeError: arguments both by position and by name.

        Cancellation:
            The call is forgotten; its answer is dropped when it comes.
        """
        codec: Codec[Any] = codec_of(returns)
        try:
            text = await self._link.call(method, _params(method, args, arguments, kwargs))
        except RemoteFailure as failure:
            raise error_of(failure) from None
        try:
            return codec.decode(text, unknown="ignore", at="result")
        except Faults as faults:
            raise InvalidResult(f"{method}: {faults}") from None

    async def notify(
        self, method: str, /, *args: Any, arguments: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Call a method and want no answer; see `call` for the arguments, and what is raised.

        Cancellation:
            Cancelled at its one checkpoint, it has sent nothing.
        """
        await trio.lowlevel.checkpoint()
        self._link.notify(method, _params(method, args, arguments, kwargs))

    @overload
    def subscribe(
        self, name: str, /, *, returns: type[T], key: Any = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[T]]: ...

    @overload
    def subscribe(
        self, name: str, /, *, key: Any = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[Any]]: ...

    def subscribe(
        self, name: str, /, *, returns: Any = Any, key: Any = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[Any]]:
        """Listen to a signal, or an event of a plain server, for which there is no stub.

        An event of one parameter gives that value, of none None, of several a tuple, one with
        named parameters a dict.

        Args:
            name: The wire name.
            returns: The type of the values; without it they come as they are.
            key: Only values with this key. Plain servers know none.
            on_lag: See `BoundRemoteSignal.subscribe`.

        Returns:
            A context manager that gives the `Subscription`; see there.

        Raises:
            NotSupported: a key, towards a plain server.
        """
        return self.subscribe_signal(name, codec_of(returns), key=key, on_lag=on_lag)

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy of a service: from a stub, or typed by the service class itself.

        Raises:
            ContractMismatch: under ``contract="strict"``, when the server's contract is another.
            NotSupported: a service class that has plain ``def`` endpoints; use its stub.
            DeclarationError: the class is neither a stub nor a service.
        """
        if issubclass(proxy, Proxy):
            self._compare(proxy.farcall_service, proxy.farcall_contract)
            return proxy(self)
        service = service_of(proxy)
        self._compare(service.spec.name, service.digest)
        # To the type checker it is the class: that is what this kind of proxy is for.
        return cast("ProxyT", ClassProxy(service, self))

    def _compare(self, name: str, digest: str) -> None:
        hello = self._link.protocol.peer
        if hello is None or hello.contracts.get(name) == digest:
            return
        theirs = "has another contract" if name in hello.contracts else "does not offer it"
        problem = f"the stub of {name or 'the service'} is not of this server, which {theirs}"
        if self._check == "strict":
            raise ContractMismatch(f"{problem}; generate the stub again")
        logger.warning("%s: %s; calls may fail", self._url, problem)

    async def call_method(
        self, method: Method, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a method of known types; proxies do."""
        return await call_method(self._link, method, args, kwargs)

    def subscribe_signal(
        self, name: str, codec: Codec[T], *, key: object, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe to a signal whose values have a known type; proxies do."""
        return self._subscriber.subscribe(name, codec, key=key, on_lag=on_lag)

    def leave(self) -> None:
        """Note that its block has ended."""
        self._is_left = True


_SESSION_STATES: Mapping[ConnectionState, SessionState] = {
    ConnectionState.CONNECTING: SessionState.CONNECTING,
    ConnectionState.OPEN: SessionState.OPEN,
    ConnectionState.DRAINING: SessionState.DRAINING,
    ConnectionState.CLOSING: SessionState.CLOSED,
    ConnectionState.CLOSED: SessionState.LOST,
}


def _params(
    method: str, args: tuple[Any, ...], arguments: Mapping[str, Any] | None, kwargs: dict[str, Any]
) -> bytes | None:
    named = {**(arguments or {}), **kwargs}
    if args and named:
        raise TypeError(f"{method}: JSON-RPC has arguments by position or by name, not both")
    if args:
        return encode_untyped(list(args))
    return encode_untyped(named) if named else None
