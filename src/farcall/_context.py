"""A call as users see it: the context of handlers and interceptors, and the connection.

The same `CallContext` serves both sides, and calls, streams and subscriptions alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast
from typing import Protocol as Interface

import attrs
import trio
from msgspec import Struct

from farcall._connection.calls import Calls, Handled, handling
from farcall._connection.link import Link
from farcall._connection.state import ConnectionState, ConnectionStatistics
from farcall._identity import Identity
from farcall._principal import Principal
from farcall._signals.audience import Room
from farcall._usage.live import Live
from farcall._usage.options import check_instance, check_text, wrong_type, wrong_value
from farcall.errors import CloseCode

ProxyT = TypeVar("ProxyT")
T = TypeVar("T")

NO_LIFESPAN: Final = object()
"""Stands for what `lifespan=` yields where there is none."""


class ProxyFactory(Interface):
    """Makes proxies over a link."""

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a proxy from a stub, or from a service class."""
        ...


class Connection(Live):
    """One live connection, on the side of a handler or of a client."""

    def __init__(self, link: Link, proxies: ProxyFactory, identity: Identity) -> None:
        self._link = link
        self._proxies = proxies
        self._identity = identity
        self._lifespan: object = NO_LIFESPAN

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
        """The path of the request, without its query."""
        return self._link.endpoint.path

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields that the peer sent in the handshake, names in lower case."""
        return self._link.endpoint.headers

    @property
    def data(self) -> dict[str, Any]:
        """A dict for the application, which lives as long as the connection."""
        return self._link.data

    @property
    def principal(self) -> Principal | None:
        """Who the peer is logged in as now; None without a login."""
        return self._identity.principal

    def logout(self) -> None:
        """Log the peer out, and end the subscriptions that need a login.

        Running calls go on. The peer stays in its rooms, which the application manages.
        """
        self._check_thread("logout")
        self._identity.drop()

    def join(self, name: str) -> None:
        """Add the peer to a room, so that it gets values emitted ``to={farcall.room(name)}``.

        Args:
            name: Of the room, which need not be created.

        Raises:
            TypeError: the name is not a str.
            RuntimeError: this is another thread than that of the Trio run. There call
                ``trio.from_thread.run_sync(connection.join, name)``, and likewise `leave` and
                `logout`.
        """
        self._check_thread("join")
        self._identity.membership.add(Room(name))

    def leave(self, name: str) -> None:
        """Remove the peer from a room; a room that it has not joined is ignored."""
        self._check_thread("leave")
        self._identity.leave(Room(name))

    def _check_thread(self, method: str) -> None:
        instead = f"trio.from_thread.run_sync(connection.{method}, ...)"
        self._link.lifecycle.home.check(f"Connection.{method}", instead)

    @property
    def state(self) -> ConnectionState:
        """Where it stands."""
        return self._link.state

    def statistics(self) -> ConnectionStatistics:
        """Return a snapshot of its counts."""
        return self._link.statistics()

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy of a service of the peer, to call back what it serves.

        Args:
            proxy: A generated stub, or the service class itself.

        Raises:
            ContractMismatch: with ``contract="strict"``, if calls of the proxy can fail.
            NotSupported: a service class with plain ``def`` endpoints; use its stub.
            DeclarationError: the class is neither a stub nor a service.
            TypeError: it is not a class.
        """
        return self._proxies.proxy(proxy)

    def _note_lifespan(self, value: object) -> None:
        self._lifespan = value

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.

        Cancellation:
            The ping may have been sent; its pong is ignored.
        """
        return await self._link.ping()

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send the queued messages, then close; each takes `Limits.close_seconds` at most.

        Cancelled, it hangs up. A handler that calls it ends, as every task of the connection.

        Args:
            code: A WebSocket close code (RFC 6455, section 7.4).
            reason: A few words for the peer, 123 bytes at most.

        Raises:
            ValueError: a close code that may not be sent, or a reason that is too long.
            TypeError: the code is not an int, or the reason not a str.
        """
        check_close(code, reason)
        await self._link.aclose(code, reason)

    async def wait_closed(self) -> None:
        """Wait until the connection has ended."""
        await self._link.wait_closed()


MAX_CLOSE_REASON: Final = 123
"""Bytes (RFC 6455, section 5.5: a control frame has 125, and the code takes two)."""

_NOT_SENT: Final = frozenset({1004, 1005, 1006, 1015})
"""Close codes for an end without a Close frame, or without a meaning (section 7.4.1)."""


def check_close(code: object, reason: str) -> None:
    """Check the code and the reason for a Close frame.

    Raises:
        ValueError: the code may not be sent, or the reason is too long.
        TypeError: the code is not an int, or the reason not a str.
    """
    takes = "a close code from 1000 to 1014 or from 3000 to 4999"
    if not isinstance(code, int) or isinstance(code, bool):
        raise wrong_type("code", takes, code, "1000")
    if not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in _NOT_SENT:
        raise wrong_value("code", takes, code, "1000, or one from 4000 up for your application")
    check_text("reason", reason, may_be_empty=True)
    size = len(reason.encode(errors="replace"))
    if size > MAX_CLOSE_REASON:
        problem = f"reason has {size} bytes; a Close frame takes up to {MAX_CLOSE_REASON} bytes"
        raise ValueError(f"{problem}: write fewer words")


CallKind: TypeAlias = Literal["call", "stream", "subscription"]
"""Whether a call has one result, items, or the values of a signal."""

CancelReason: TypeAlias = Literal["caller", "deadline", "disconnect", "shutdown", "logout"]
"""Why a call was cancelled: its caller cancelled it, ran out of time or hung up, this side closes,
or the login that its stream needs has ended."""

ArgumentsByName: TypeAlias = Mapping[str, Any]
"""Arguments by name; those of an untyped call by position as ``"0"``, ``"1"``, ..."""


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class CallContext(Live):
    """A call, as `current_call` returns it to a handler, and as interceptors get it."""

    connection: Connection
    method: str
    """The wire name, of a method or a signal."""
    kind: CallKind = "call"
    is_served: bool = attrs.field(default=False, kw_only=True)
    """Whether this side serves the call, rather than makes it."""
    principal: Principal | None = None
    """Who the peer was logged in as when its call came; None without a login, and on the calling
    side."""
    deadline: float = math.inf
    """When the caller stops waiting, on Trio's clock; `math.inf` for never."""
    trace: str | None = None
    """The caller's span, a ``traceparent`` (W3C Trace Context); an interceptor may set another."""
    _cancel_reason: str | None = attrs.field(default=None, init=False, repr=False)
    _read: Callable[[], ArgumentsByName] = attrs.field(default=dict, alias="read", repr=False)
    _arguments: ArgumentsByName | None = attrs.field(default=None, init=False, repr=False)

    @property
    def cancel_reason(self) -> str | None:
        """Why the call was cancelled, if it was: a `CancelReason`, or another text of the peer."""
        is_late = self._cancel_reason is None and self.deadline <= _now()
        return "deadline" if is_late else self._cancel_reason

    def _note_cancelled(self, reason: str) -> None:
        self._cancel_reason = reason

    def lifespan(self, kind: type[T]) -> T:
        """Return what the server's `lifespan=` yielded: ``current_call().lifespan(Database)``.

        Args:
            kind: Its class, or a base of it.

        Raises:
            TypeError: it is of another class, or the server has no `lifespan=`; or `kind` is no
                class.
        """
        check_instance("kind", kind, type, "the class of what lifespan= yields", "Database")
        found = self.connection._lifespan
        if found is NO_LIFESPAN:
            raise TypeError(
                f"lifespan({kind.__name__}) needs lifespan= of the server, which has none; write"
                " App(..., lifespan=...)"
            )
        if isinstance(found, kind):
            return found
        wanted, got = _names(kind, type(found))
        raise TypeError(f"lifespan() expected {wanted}, but the server's lifespan= yielded {got}")

    @property
    def arguments(self) -> ArgumentsByName:
        """The arguments that were passed, decoded on first use; do not change them.

        The mapping is read-only; its values are those that the handler gets, or that are sent.

        Raises:
            InvalidArguments: they do not match the contract.
        """
        if self._arguments is None:
            self._arguments = MappingProxyType(self._read())
        return self._arguments


def _names(*classes: type) -> Sequence[str]:
    """Name classes that differ, with their modules if the bare names are the same."""
    names = [each.__qualname__ for each in classes]
    if len({*names}) == len(names):
        return names
    return [f"{each.__module__}.{each.__qualname__}" for each in classes]


def _now() -> float:
    """Return the time, also in a worker thread."""
    try:
        return trio.current_time()
    except RuntimeError:
        return trio.from_thread.run_sync(trio.current_time)


class HandledCall(Handled, Interface):
    """A call of the peer while it is handled, with its context."""

    @property
    def context(self) -> CallContext: ...


class HandledSubscription(Struct, eq=False):
    """A subscription of the peer while its interceptors run; a `HandledCall`."""

    calls: Calls
    context: CallContext
    is_over: bool = False

    @property
    def cancel_reason(self) -> str | None:
        return self.context.cancel_reason

    @property
    def trace(self) -> str | None:
        return self.context.trace


_current = cast("ContextVar[HandledCall]", handling)


def current_call() -> CallContext:
    """Return the call that this code serves.

    Raises:
        RuntimeError: it does not run in a handler.

    >>> from farcall import functions
    >>> from farcall.testing import open_pair
    >>> async def whoami() -> str:
    ...     return f"{current_call().method} from {current_call().connection.peer}"
    >>> async def main() -> None:
    ...     async with open_pair(functions(whoami, name="")) as (session, _):
    ...         print(await session.call("whoami"))
    >>> trio.run(main)
    whoami from memory
    """
    try:
        return _current.get().context
    except LookupError:
        raise RuntimeError(
            "current_call() works only in a handler, or in a task that it started"
        ) from None


@contextmanager
def handled(context: CallContext) -> Iterator[None]:
    """Make `context` the current call of this task, and of tasks that it starts.

    The call ends with the block; for tasks that run longer it stays the current one.
    """
    call = HandledSubscription(context.connection._link.calls, context)
    _current.set(call)
    try:
        yield
    finally:
        call.is_over = True
