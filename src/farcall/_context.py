"""One call as users see it: what a handler may ask of it, and what interceptors are given.

The same `CallContext` serves both sides, and calls, streams and subscriptions alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast
from typing import Protocol as Interface

import attrs
import trio

from farcall._connection.calls import Calls, Handled, handling
from farcall._connection.link import Link
from farcall._connection.state import ConnectionState, ConnectionStatistics
from farcall._identity import Identity
from farcall._principal import Principal
from farcall._signals.audience import Room
from farcall._usage.live import Live
from farcall._usage.options import check_text, wrong_type, wrong_value
from farcall.errors import CloseCode

ProxyT = TypeVar("ProxyT")


class ProxyFactory(Interface):
    """What makes proxies over a link."""

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a proxy from a stub, or from a service class."""
        ...


class Connection(Live):
    """One live connection, as a handler or a client may look at it."""

    def __init__(self, link: Link, proxies: ProxyFactory, identity: Identity) -> None:
        self._link = link
        self._proxies = proxies
        self._identity = identity

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
    def principal(self) -> Principal | None:
        """Who the peer has logged in as, as things are now; None for nobody."""
        return self._identity.principal

    def logout(self) -> None:
        """Log the peer out, and end the subscriptions that need a login.

        Calls that run already go on. The rooms that it has joined are the application's, and stay.
        """
        self._check_thread("logout")
        self._identity.drop()

    def join(self, name: str) -> None:
        """Let the peer have what is emitted ``to={farcall.room(name)}``, from now on.

        Args:
            name: Of the room; one comes to be when somebody joins it.

        Raises:
            TypeError: the name is no text.
            RuntimeError: this is another thread than that of the Trio run. There call
                ``trio.from_thread.run_sync(connection.join, name)``, and likewise `leave` and
                `logout`.
        """
        self._check_thread("join")
        self._identity.membership.add(Room(name))

    def leave(self, name: str) -> None:
        """Let the peer have no more of what is emitted to a room; one not joined does no harm."""
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
        """Take a snapshot of its counts."""
        return self._link.statistics()

    def proxy(self, proxy: type[ProxyT]) -> ProxyT:
        """Make a typed proxy of a service of the peer, to call back what it serves.

        Args:
            proxy: A generated stub, or the service class itself.

        Raises:
            ContractMismatch: under ``contract="strict"``, when calls of the proxy can fail.
            NotSupported: a service class that has plain ``def`` endpoints; use its stub.
            DeclarationError: the class is neither a stub nor a service.
            TypeError: it is no class.
        """
        return self._proxies.proxy(proxy)

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.

        Cancellation:
            The ping may have been sent; its pong is ignored when it comes.
        """
        return await self._link.ping()

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits and close, `Limits.close_seconds` each at most. Cancelled, hang up.

        Called by a handler it ends that handler as well, like every task of the connection.

        Args:
            code: A WebSocket close code (RFC 6455, section 7.4).
            reason: A few words for the peer, 123 bytes at most.

        Raises:
            ValueError: a close code that may not be sent, or a reason that is too long.
            TypeError: the code is no int, or the reason no str.
        """
        check_close(code, reason)
        await self._link.aclose(code, reason)

    async def wait_closed(self) -> None:
        """Wait until the link has ended, by whichever side."""
        await self._link.wait_closed()


MAX_CLOSE_REASON: Final = 123
"""Bytes (RFC 6455, section 5.5: a control frame has 125, and the code takes two)."""

_NOT_SENT: Final = frozenset({1004, 1005, 1006, 1015})
"""Close codes that stand for an end without a Close frame, or for nothing (section 7.4.1)."""


def check_close(code: object, reason: str) -> None:
    """Check what is to be said in a Close frame.

    Raises:
        ValueError: the code may not be sent, or the reason is too long.
        TypeError: the code is no int, or the reason no str.
    """
    takes = "a close code from 1000 to 1014 or from 3000 to 4999"
    if not isinstance(code, int) or isinstance(code, bool):
        raise wrong_type("code", takes, code, "1000")
    if not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in _NOT_SENT:
        raise wrong_value("code", takes, code, "1000, or one from 4000 up for your application")
    check_text("reason", reason, may_be_empty=True)
    if len(reason.encode(errors="replace")) > MAX_CLOSE_REASON:
        raise ValueError(f"reason takes {MAX_CLOSE_REASON} bytes at most; write fewer words")


CallKind: TypeAlias = Literal["call", "stream", "subscription"]
"""What a call brings: one result, items, or the values of a signal."""

CancelReason: TypeAlias = Literal["caller", "deadline", "disconnect", "shutdown", "logout"]
"""Why a call was cancelled: its caller left, ran out of time or hung up, this side closes, or the
login that its stream needs has ended."""

ArgumentsByName: TypeAlias = Mapping[str, Any]
"""Arguments by name; those of an untyped call that have none by their place, from ``"0"`` up."""


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class CallContext(Live):
    """What is known of a call: its handler asks `current_call`, an interceptor is given it."""

    connection: Connection
    method: str
    """The wire name, of a method or a signal."""
    kind: CallKind = "call"
    is_served: bool = attrs.field(default=False, kw_only=True)
    """Whether this side serves the call; False for one that it makes of its peer."""
    principal: Principal | None = None
    """Who the peer had logged in as when its call came; None for nobody, and for own calls."""
    deadline: float = math.inf
    """When the caller stops to wait, on Trio's clock; `math.inf` for never."""
    trace: str | None = None
    """The caller's span, a ``traceparent`` (W3C Trace Context); an interceptor may set another."""
    _cancel_reason: str | None = attrs.field(default=None, init=False, repr=False)
    _read: Callable[[], ArgumentsByName] = attrs.field(default=dict, alias="read", repr=False)
    _arguments: ArgumentsByName | None = attrs.field(default=None, init=False, repr=False)

    @property
    def cancel_reason(self) -> str | None:
        """Why the call was cancelled, once it was: a `CancelReason`, or the word of a peer."""
        is_late = self._cancel_reason is None and self.deadline <= _now()
        return "deadline" if is_late else self._cancel_reason

    def _note_cancelled(self, reason: str) -> None:
        """Remember why it was cancelled."""
        self._cancel_reason = reason

    @property
    def arguments(self) -> ArgumentsByName:
        """The arguments that were given, decoded on first use; not to be changed.

        The mapping is read-only; what it holds is what the handler gets, or what is sent.

        Raises:
            InvalidArguments: they are not what the contract says.
        """
        if self._arguments is None:
            self._arguments = MappingProxyType(self._read())
        return self._arguments


def _now() -> float:
    """Tell the time, also to a handler that runs in a worker thread."""
    try:
        return trio.current_time()
    except RuntimeError:
        return trio.from_thread.run_sync(trio.current_time)


class HandledCall(Handled, Interface):
    """A call of the peer while it is handled, and what its handler may ask about it."""

    @property
    def context(self) -> CallContext: ...


@attrs.define(eq=False)
class HandledSubscription:
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
    """Tell which call this code serves.

    Raises:
        RuntimeError: it serves none.

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
        raise RuntimeError("current_call() is for code that runs in a handler") from None


@contextmanager
def handled(context: CallContext) -> Iterator[None]:
    """Make `context` the current call of this task, and of those that it starts.

    The call ends with the block. What has been started, and lives on, still knows of it.
    """
    call = HandledSubscription(context.connection._link.calls, context)
    _current.set(call)
    try:
        yield
    finally:
        call.is_over = True
