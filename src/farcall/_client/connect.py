"""Connecting: from a URL to a session, and from there to typed proxies."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar, Unpack, overload

import trio

from farcall._calling.calls import LinkCaller
from farcall._calling.proxy import check_proxy, contract_of
from farcall._client.login import ClientLogin
from farcall._client.options import ClientOptions, ConnectKeywords
from farcall._client.session import Session
from farcall._connection.call import RemoteFailure
from farcall._connection.link import Link
from farcall._limits import message_limit
from farcall._nursery import open_owned_nursery
from farcall._protocol.framing import shown
from farcall._protocol.protocol import Protocol
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.endpoints import contracts_of, greeting, warn_of_protected
from farcall._transport.dial import Dialler
from farcall._transport.transport import Transport
from farcall._usage.home import check_trio
from farcall._usage.keywords import check_keywords, takes
from farcall._usage.opening import Opening
from farcall.errors import ConnectFailed, ContractMismatch, FarcallError

logger = logging.getLogger("farcall")

ProxyT = TypeVar("ProxyT")


@asynccontextmanager
async def open_session(
    transport: Transport, url: str, proxy: type[ProxyT] | None, options: ClientOptions
) -> AsyncIterator[Session | ProxyT]:
    """Make a session over an open transport, and end both with the block."""
    endpoints = options.endpoints
    warn_of_protected([endpoints], "a client has no logins")
    link = _make_link(transport, url, proxy, options)
    assert isinstance(link.handler, Dispatcher)
    caller = link.handler.caller
    async with open_owned_nursery() as nursery:
        await nursery.start(link.run)
        async with _closing(link):
            if options.dialect == "farcall":
                await _greet(link, url, options)
            login = ClientLogin(link, url, options.login, options.limits.handshake_seconds)
            if options.login is not None:
                await login.perform()
            await caller.contracts.prepare(
                proxy, options.limits.hello_seconds, has_others=bool(endpoints.methods)
            )
            session = Session(url, link, caller, login)
            for function in endpoints.background:
                nursery.start_soon(function)
            try:
                yield session if proxy is None else session.proxy(proxy)
            finally:
                session._note_closed()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _closing(link: Link) -> AsyncIterator[None]:
    """Close the link after the block.

    An error of the block is raised even if closing is cancelled, which would hide it.
    """
    try:
        yield
    except BaseException:
        with suppress(trio.Cancelled):
            await link.aclose()
        raise
    await link.aclose()


def _make_link(
    transport: Transport, url: str, proxy: type[object] | None, options: ClientOptions
) -> Link:
    wanted: Mapping[str, str] = {} if proxy is None else contract_of(proxy)
    limits = options.limits
    contracts = contracts_of([*wanted.items(), *options.endpoints.contracts.items()])
    own = greeting(limits, message_limit(limits, is_client=True).size, contracts)

    def make_handler(link: Link) -> Dispatcher:
        caller = LinkCaller(link, options.interceptors, options.contract, url)
        return Dispatcher(link, caller, options.endpoints, options)

    return Link(
        transport,
        Protocol(own, has_dialled=True, limits=limits),
        make_handler,
        heartbeat=options.heartbeat,
        cancel_grace=options.cancel_grace,
        limits=limits,
    )


async def _greet(link: Link, url: str, options: ClientOptions) -> None:
    """Say hello; a server that responds with an error speaks the plain dialect."""
    seconds = options.limits.hello_seconds
    hint = 'connect(..., dialect="plain") sends no hello'
    try:
        with trio.fail_after(seconds):
            await link.calls.greet()
    except RemoteFailure as failure:
        if options.contract == "strict":
            reason = f"{shown(failure.message)}, {failure.code}"
            raise ContractMismatch(
                f"{url} refused the hello ({reason}), so no contract can be compared; leave out"
                ' contract="strict" for a server that is not farcall'
            ) from None
        logger.debug("%s speaks the plain dialect (%d)", url, failure.code)
    except trio.TooSlowError:
        problem = f"{url}: no response to the hello in {seconds:g} s (the limit hello_seconds)"
        raise ConnectFailed(f"{problem}; {hint}") from None
    except FarcallError as error:
        code = None if link.close_reason is None else link.close_reason.code
        problem = f"{url} ended the connection at the hello: {error}; {hint}"
        raise ConnectFailed(problem, code=code) from None


@overload
def connect(
    url: str, /, **keywords: Unpack[ConnectKeywords]
) -> AbstractAsyncContextManager[Session]: ...


@overload
def connect(
    url: str, proxy: type[ProxyT], /, **keywords: Unpack[ConnectKeywords]
) -> AbstractAsyncContextManager[ProxyT]: ...


@takes(ConnectKeywords, ClientOptions)
def connect(
    url: str, proxy: type[object] | None = None, /, **keywords: Unpack[ConnectKeywords]
) -> AbstractAsyncContextManager[object]:
    """Connect to a server for as long as an ``async with`` block runs.

    Args:
        url: ``ws://host:port/path``, or ``wss:`` for TLS; the path is the namespace. A Unix socket
            is ``ws+unix:///path/of/socket:/path``.
        proxy: A generated stub, or the service class itself; without it the block gets the
            `Session`, for servers that have no stub.
        dialect: ``"plain"`` sends no hello, for servers that are not farcall.
        headers: Sent with the handshake.
        ssl_context: For ``wss:``, the trusted certificates; by default those that the system
            trusts, for the host of the URL.
        login: The parameters of the server's ``rpc.login``: a dict by name, a list by position; any
            other value is sent as a list of one. It is sent right after the hello; None for no
            login.
        contract: What to do if calls of the proxy can fail, because it was made for another
            contract than the server's: ``"warn"`` logs one warning that names them, ``"strict"``
            raises, also if the contract of the server is unknown.
        serves: Service objects for the server to call back; see `Connection.proxy`.
        interceptors: Around each call, both those made and those served here; the first one
            is outermost.
        max_call_seconds: For each call that is served here.
        cancel_grace: Seconds for which a cancelled call waits for the server's response.
        limits: What the server may cost, and the time to connect.
        heartbeat: After how much silence the server is pinged, and the connection closed.

    Returns:
        A context manager. When its block ends, queued messages are sent and the link is closed.

    Raises:
        ConnectFailed: no server listens there, or it does not speak this protocol, or refuses the
            login.
        ContractMismatch: with ``contract="strict"``, if calls of the proxy can fail, or the server
            refuses the hello.
        DeclarationError: an object in `serves` is not a service, or two offer the same name, or
            `proxy` is neither a stub nor a service class.
        Exception: of a ``@background`` method of `serves`, as it is.
        TypeError: an argument has a wrong type; names it.
        ValueError: an argument has a wrong value, such as a URL without TLS beside an
            `ssl_context`, or an unknown word for `dialect`.

    Resources:
        One socket, and a nursery for its reader, its writer and its heartbeat. An error of the
        block is raised as it is, not in a group.

    Cancellation:
        The link is cut, and the server cancels the calls that run for it.

    >>> from farcall import serve, service
    >>> @service
    ... class Shop:
    ...     async def price(self, sku: str) -> float:
    ...         return 2.5
    >>> async def main() -> None:
    ...     async with trio.open_nursery() as nursery:
    ...         server = await nursery.start(serve, Shop(), 0)
    ...         async with connect(server.url, Shop) as shop:
    ...             print(await shop.price("A-1"))
    ...         server.shutdown()
    >>> trio.run(main)
    2.5
    """
    check_keywords(connect, keywords)
    if proxy is not None:
        check_proxy(proxy)
    options = ClientOptions(**keywords)
    dialler = Dialler.of(url, options.headers, options.limits, options.ssl_context)
    advice = "farcall.connect() makes a connection: write `async with farcall.connect(...) as ...:`"
    return Opening(_connect(dialler, proxy, options), advice)


@asynccontextmanager
async def _connect(
    dialler: Dialler, proxy: type[object] | None, options: ClientOptions
) -> AsyncIterator[object]:
    check_trio("farcall.connect")
    transport = await dialler.dial()
    try:
        async with open_session(transport, dialler.url.shown, proxy, options) as session:
            yield session
    finally:
        transport.abort()  # also if no session was made
