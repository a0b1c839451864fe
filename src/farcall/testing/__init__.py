"""Tests of services without a socket: a link in memory, which works with virtual time."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeVar, Unpack, overload

import attrs
import trio
import trio.testing

from farcall._calling.proxy import check_proxy
from farcall._client.connect import open_session
from farcall._client.options import ClientOptions, SessionKeywords
from farcall._client.session import Session
from farcall._context import Connection
from farcall._interceptors import Interceptor, check_interceptors
from farcall._nursery import open_owned_nursery
from farcall._principal import Principal
from farcall._server.app import App, unpack
from farcall._server.host import Host, Services, check_path
from farcall._server.options import HostKeywords, HostOptions
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.login import identify
from farcall._transport.http import Rejection
from farcall._transport.memory import MemoryTransport, memory_pair
from farcall._transport.transport import Endpoint
from farcall._usage.home import check_trio
from farcall._usage.keywords import check_keywords, takes
from farcall._usage.opening import Opening
from farcall._usage.options import check_instance, check_text, optional, validator
from farcall.errors import ConnectFailed
from farcall.testing._collect import collect
from farcall.testing._sweep import CancelledBy, CancelSweepError, SweepReport, cancel_sweep

ClientT = TypeVar("ClientT")

__all__ = [
    "CancelSweepError",
    "CancelledBy",
    "MemoryTransport",
    "Pair",
    "SweepReport",
    "cancel_sweep",
    "collect",
    "memory_pair",
    "open_pair",
]


class Pair(NamedTuple, Generic[ClientT]):
    """Both ends of a link."""

    client: ClientT
    """The proxy, or the session if `open_pair` got no proxy."""
    connection: Connection
    """The server's end."""


class PairKeywords(HostKeywords, SessionKeywords, total=False):
    """What `open_pair` takes; `PairOptions` has the defaults."""

    path: str
    principal: Principal | None
    client_interceptors: Sequence[Interceptor]


@attrs.frozen(kw_only=True, slots=False)
class PairOptions(HostOptions, ClientOptions):
    """The options of the server, and those that only a client has."""

    path: str = attrs.field(default="/", validator=validator(check_text, write='"/"'))
    principal: Principal | None = attrs.field(
        default=None,
        validator=validator(optional(check_instance), kind=Principal, takes="a farcall.Principal"),
    )
    client_interceptors: Sequence[Interceptor] = attrs.field(
        default=(), validator=validator(check_interceptors)
    )

    @property
    def client(self) -> ClientOptions:
        """The options of the client."""
        return attrs.evolve(
            self, interceptors=self.client_interceptors, max_call_seconds=math.inf, debug=False
        )


@overload
def open_pair(
    services: App | Services, /, **keywords: Unpack[PairKeywords]
) -> AbstractAsyncContextManager[Pair[Session]]: ...


@overload
def open_pair(
    services: App | Services, proxy: type[ClientT], /, **keywords: Unpack[PairKeywords]
) -> AbstractAsyncContextManager[Pair[ClientT]]: ...


@takes(PairKeywords, PairOptions)
def open_pair(
    services: App | Services,
    proxy: type[object] | None = None,
    /,
    **keywords: Unpack[PairKeywords],
) -> AbstractAsyncContextManager[Pair[Any]]:
    """Serve services to one client in this process, over a link in memory.

    Everything but the socket is the same as in `farcall.serve` and `farcall.connect`, and works
    under ``trio.testing.MockClock``.

    Args:
        services: As for `farcall.serve`. Options of an `App` that concern sockets do nothing here.
        proxy: A stub, or the service class; without it the client is a `Session`.
        path: The path that the client requests, with a query if it has one.
        principal: Who the client is, without a handshake that says so and without a login; None to
            ask `authenticate`, as a server does.
        headers: As for `farcall.connect`.
        login: As for `farcall.connect`.
        authenticate: As for `farcall.serve`.
        lifespan: As for `farcall.serve`; entered before the client connects, and left at the end.
        dialect: As for `farcall.connect`.
        contract: As for `farcall.connect`.
        serves: As for `farcall.connect`.
        interceptors: Of the server.
        client_interceptors: Of the client.
        max_call_seconds: Of the server.
        debug: Of the server.
        cancel_grace: Of both ends.
        limits: Of both ends.
        heartbeat: Of both ends.

    Returns:
        A context manager whose block gets a `Pair`: the client, and the server's `Connection`.

    Raises:
        ConnectFailed: the server refuses the handshake or the login, or one end has ended before
            the link was open.
        DeclarationError: an object is no service, or `proxy` is no stub.
        TypeError: an argument is of another type, or given to an `App` as well; the message names
            it.
        ValueError: an argument makes no sense, such as an empty list of services.
        Exception: an exception of a ``@background`` method, unchanged.

    Cancellation:
        Cuts the link and ends both sides.

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
    check_keywords(open_pair, keywords)
    if proxy is not None:
        check_proxy(proxy)
    services, options = unpack(services, PairOptions(**keywords), open_pair, keywords)
    host = Host(services, options)
    path, _, query = options.path.partition("?")
    check_path("path=", path)
    fields = {name.lower(): value for name, value in (options.headers or {}).items()}
    endpoint = Endpoint("memory", "memory", path, query, fields)
    advice = "open_pair() makes both ends of a link: write `async with open_pair(...) as (...):`"
    return Opening(_open_pair(host, endpoint, proxy, options), advice)


@asynccontextmanager
async def _open_pair(
    host: Host, endpoint: Endpoint, proxy: type[object] | None, options: PairOptions
) -> AsyncIterator[Pair[Any]]:
    check_trio("farcall.testing.open_pair")
    async with host.open(), _linked(host, endpoint, proxy, options) as pair:
        yield pair


@asynccontextmanager
async def _linked(
    host: Host, endpoint: Endpoint, proxy: type[object] | None, options: PairOptions
) -> AsyncIterator[Pair[Any]]:
    path = endpoint.path
    if path not in host.paths:
        raise ConnectFailed("the server answered with HTTP status 404", status=404)
    try:
        principal = options.principal or await identify(host.logins, endpoint)
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
            raise ConnectFailed(f"memory:{path}: the server has already cut the link")
        (link,) = host.links
        async with open_session(dialled, f"memory:{path}", proxy, options.client) as client:
            assert isinstance(link.handler, Dispatcher)
            yield Pair(client, link.handler.caller.connection)
        nursery.cancel_scope.cancel()
