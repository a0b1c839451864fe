"""Test services without a socket: the pair in memory, on which virtual time works."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload

import trio
import trio.testing

from farcall._calling.contracts import ContractCheck
from farcall._calling.proxy import check_proxy
from farcall._client.connect import ClientOptions, Dialect, open_session
from farcall._client.session import Session
from farcall._connection.heartbeat import Heartbeat
from farcall._connection.link import CANCEL_GRACE
from farcall._context import Connection
from farcall._interceptors import Interceptor, check_interceptors
from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._nursery import open_owned_nursery
from farcall._principal import Authenticate
from farcall._server.host import Host, Services, check_path, serving_of
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.login import Logins, identify
from farcall._transport.dial import check_headers
from farcall._transport.http import Rejection
from farcall._transport.memory import MemoryTransport, memory_pair
from farcall._transport.transport import Endpoint
from farcall._usage.home import check_trio
from farcall._usage.opening import Opening
from farcall._usage.options import check_text
from farcall.errors import ConnectFailed
from farcall.testing._sweep import CancelledBy, CancelSweepError, SweepReport, cancel_sweep

ClientT = TypeVar("ClientT")

__all__ = [
    "CancelSweepError",
    "CancelledBy",
    "MemoryTransport",
    "Pair",
    "SweepReport",
    "cancel_sweep",
    "memory_pair",
    "open_pair",
]


class Pair(NamedTuple, Generic[ClientT]):
    """Both ends of a link."""

    client: ClientT
    """The proxy, or the session where no proxy was asked for."""
    connection: Connection
    """The server's end."""


@overload
def open_pair(
    services: Services,
    /,
    *,
    path: str = ...,
    headers: Mapping[str, str] | None = ...,
    login: Any = ...,
    authenticate: Authenticate | None = ...,
    dialect: Dialect = ...,
    contract: ContractCheck = ...,
    serves: Sequence[object] = ...,
    interceptors: Sequence[Interceptor] = ...,
    client_interceptors: Sequence[Interceptor] = ...,
    max_call_seconds: float = ...,
    debug: bool = ...,
    cancel_grace: float = ...,
    limits: Limits = ...,
    heartbeat: Heartbeat = ...,
) -> AbstractAsyncContextManager[Pair[Session]]: ...


@overload
def open_pair(
    services: Services,
    proxy: type[ClientT],
    /,
    *,
    path: str = ...,
    headers: Mapping[str, str] | None = ...,
    login: Any = ...,
    authenticate: Authenticate | None = ...,
    dialect: Dialect = ...,
    contract: ContractCheck = ...,
    serves: Sequence[object] = ...,
    interceptors: Sequence[Interceptor] = ...,
    client_interceptors: Sequence[Interceptor] = ...,
    max_call_seconds: float = ...,
    debug: bool = ...,
    cancel_grace: float = ...,
    limits: Limits = ...,
    heartbeat: Heartbeat = ...,
) -> AbstractAsyncContextManager[Pair[ClientT]]: ...


def open_pair(
    services: Services,
    proxy: type[Any] | None = None,
    /,
    *,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    login: Any = None,
    authenticate: Authenticate | None = None,
    dialect: Dialect = "farcall",
    contract: ContractCheck = "warn",
    serves: Sequence[object] = (),
    interceptors: Sequence[Interceptor] = (),
    client_interceptors: Sequence[Interceptor] = (),
    max_call_seconds: float = math.inf,
    debug: bool = False,
    cancel_grace: float = CANCEL_GRACE,
    limits: Limits = DEFAULT_LIMITS,
    heartbeat: Heartbeat = Heartbeat(),  # noqa: B008 - frozen
) -> AbstractAsyncContextManager[Pair[Any]]:
    """Serve services to one client in this process, over a link in memory.

    Everything but the socket is what `farcall.serve` and `farcall.connect` use, and all of it runs
    under ``trio.testing.MockClock``.

    Args:
        services: As for `farcall.serve`.
        proxy: A stub, or the service class; without it the client is a `Session`.
        path: What the client asks for, with a query behind it if need be.
        headers: As for `farcall.connect`.
        login: As for `farcall.connect`.
        authenticate: As for `farcall.serve`.
        dialect: As for `farcall.connect`.
        contract: As for `farcall.connect`.
        serves: As for `farcall.connect`.
        interceptors: Of the server.
        client_interceptors: Of the client.
        max_call_seconds: Of the server, for each call.
        debug: Of the server.
        cancel_grace: Of both ends.
        limits: Of both ends.
        heartbeat: Of both ends.

    Returns:
        A context manager that gives a `Pair`: the client, and the server's `Connection`.

    Raises:
        ConnectFailed: the server refuses the handshake, or the login, or one end has gone before
            the other one was there.
        DeclarationError: something served is no service, or `proxy` is no stub.
        TypeError: an argument is of another type; names it.
        ValueError: an argument makes no sense, such as an empty list of services.
        Exception: what a ``@background`` method raised, as it is.

    Cancellation:
        The link is cut, and both ends end.

    >>> import trio
    >>> from farcall import functions
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> async def main() -> None:
    ...     async with open_pair(functions(add, name="")) as (session, connection):
    ...         print(await session.call("add", 2, 3), connection.peer)
    >>> trio.run(main)
    5 memory
    """
    if proxy is not None:
        check_proxy(proxy)
    check_text("path=", path, write='"/"')
    if headers is not None:
        check_headers(headers)
    check_interceptors("client_interceptors=", client_interceptors)
    serving = serving_of(interceptors, max_call_seconds, debug, authenticate, limits)
    host = Host(services, serving, limits=limits, heartbeat=heartbeat, cancel_grace=cancel_grace)
    options = ClientOptions(
        dialect,
        contract,
        serves,
        client_interceptors,
        limits=limits,
        cancel_grace=cancel_grace,
        heartbeat=heartbeat,
        login=login,
    )
    path, _, query = path.partition("?")
    check_path("path=", path)
    fields = {name.lower(): value for name, value in (headers or {}).items()}
    endpoint = Endpoint("memory", "memory", path, query, fields)
    advice = "open_pair() makes both ends of a link: write `async with open_pair(...) as (...):`"
    return Opening(_open_pair(host, serving.logins, endpoint, proxy, options), advice)


@asynccontextmanager
async def _open_pair(
    host: Host,
    logins: Logins | None,
    endpoint: Endpoint,
    proxy: type[Any] | None,
    options: ClientOptions,
) -> AsyncIterator[Pair[Any]]:
    check_trio("farcall.testing.open_pair")
    path = endpoint.path
    if path not in host.paths:
        raise ConnectFailed("the server answered with HTTP status 404", status=404)
    try:
        principal = await identify(logins, endpoint)
    except Rejection as refusal:
        problem = f"the server answered with HTTP status {refusal.status}"
        raise ConnectFailed(problem, status=refusal.status) from None
    dialled, accepted = memory_pair(
        path=path,
        query=endpoint.query,
        headers=endpoint.headers,
        principal=principal,
        limits=options.limits,
    )
    async with open_owned_nursery() as nursery:
        host.start_background(nursery)
        nursery.start_soon(host.serve_link, accepted)
        await trio.testing.wait_all_tasks_blocked()
        if not host.links:
            raise ConnectFailed(f"memory:{path}: the server has cut the link already")
        (link,) = host.links
        async with open_session(dialled, f"memory:{path}", proxy, options) as client:
            yield Pair(client, cast("Dispatcher", link.handler).caller.connection)
        nursery.cancel_scope.cancel()
