"""One call as users see it: where it came from for who serves it, how it ends for who makes it.

A call made goes through `call_method`: codec, link, codec, and the one place where what came over
the wire becomes an exception. A call served can ask `current_call`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from farcall._codec import Faults, decode_json
from farcall._connection.link import Link
from farcall._connection.pending import RemoteFailure
from farcall._connection.statistics import ConnectionState, ConnectionStatistics
from farcall._declare import Method
from farcall.errors import CloseCode, InvalidResult, RpcError


class Connection:
    """One live connection, as a handler or a client may look at it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"<Connection to {self.peer}, {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and other._link is self._link

    def __hash__(self) -> int:
        return hash(self._link)

    @property
    def peer(self) -> str:
        """The address of the other side, such as ``127.0.0.1:51234``."""
        return self._link.endpoint.peer

    @property
    def local(self) -> str:
        """The address of this side."""
        return self._link.endpoint.local

    @property
    def path(self) -> str:
        """The path that was asked for, without its query."""
        return self._link.endpoint.path

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields that the peer sent in the handshake, names in lower case."""
        return self._link.endpoint.headers

    @property
    def data(self) -> dict[str, Any]:
        """A dict for the application, kept as long as the connection."""
        return self._link.data

    @property
    def state(self) -> ConnectionState:
        """Where it stands."""
        return self._link.state

    def statistics(self) -> ConnectionStatistics:
        """Take a snapshot of its counts."""
        return self._link.statistics()

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.
        """
        return await self._link.ping()

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits and close, 5 s each at most. Cancelled, hang up.

        Called by a handler it ends that handler as well, like every task of the connection.

        Args:
            code: A WebSocket close code (RFC 6455, section 7.4).
            reason: A few words for the peer.
        """
        await self._link.aclose(code, reason)

    async def wait_closed(self) -> None:
        """Wait until the link has ended, by whichever side."""
        await self._link.wait_closed()


@attrs.frozen
class CallContext:
    """What a handler can know of the call that it serves."""

    connection: Connection
    method: str
    """The wire name."""


_current: ContextVar[CallContext] = ContextVar("farcall.current_call")


def current_call() -> CallContext:
    """Tell which call this code serves.

    Raises:
        RuntimeError: it serves none.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("current_call() is for code that runs in a handler") from None


def enter_call(context: CallContext) -> None:
    """Make `context` the current call of this task, for the task's life."""
    _current.set(context)


async def call_method(
    link: Link, method: Method, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Call a method of known types: encode, send, wait, decode.

    Raises:
        TypeError: the arguments do not fit the signature.
        EncodeError: an argument is not of its type.
        ApplicationError: one of those the method declares.
        RpcError: any other error of the peer.
        InvalidResult: the result is not of its type.
        ConnectionLost: the link ended first.
    """
    params = method.arguments.encode(args, kwargs)
    name = method.spec.wire_name
    if method.spec.oneway:
        return link.notify(name, params)
    try:
        result = await link.call(name, params)
    except RemoteFailure as failure:
        raise error_of(failure, method) from None
    return decode_result(method, result)


def decode_result(method: Method, result: bytes) -> Any:
    """Read the result of a method.

    Raises:
        InvalidResult: it is not of its type; names the path.
    """
    try:
        return method.result.decode(result, unknown="ignore", at="result")
    except Faults as faults:
        raise InvalidResult(f"{method.spec.wire_name}: {faults}") from None


def error_of(failure: RemoteFailure, method: Method | None = None) -> Exception:
    """Make the exception for an error of the peer: a declared one, or an `RpcError`."""
    if method is not None:
        declared = method.errors.decode(failure.code, failure.message, failure.data)
        if declared is not None:
            return declared
    data = None if failure.data is None else decode_json(failure.data)
    return RpcError.of(failure.code, failure.message, data)
