"""Serving: listen, accept connections, and let running calls finish at the end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Unpack

import attrs
import trio

from farcall._nursery import open_owned_nursery
from farcall._server.acceptor import Acceptor
from farcall._server.app import App, unpack
from farcall._server.host import Host, Services
from farcall._server.options import ServeKeywords, ServerOptions
from farcall._server.server import Server
from farcall._transport.listen import Listeners, ListenSpec, open_listeners
from farcall._usage.home import check_trio
from farcall._usage.keywords import check_keywords, takes
from farcall._usage.opening import Opening

logger = logging.getLogger("farcall")

ADVICE: Final = "open_server() serves in a block: write `async with open_server(...) as server:`"


@attrs.frozen
class Serving:
    """Services, and where to serve them: checked, and not listening yet."""

    host: Host
    acceptor: Acceptor
    place: ListenSpec
    drain_seconds: float

    @classmethod
    def of(
        cls,
        function: Callable[..., object],
        services: App | Services,
        port: int | None,
        keywords: ServeKeywords,
    ) -> Serving:
        """Check the arguments of a function that serves.

        Raises:
            DeclarationError: an object is no service, or two offer the same name at one path.
            TypeError: an argument is of another type.
            ValueError: an argument makes no sense.
        """
        check_keywords(function, keywords)
        services, options = unpack(services, ServerOptions(**keywords), function, keywords)
        place = options.place(port)
        host = Host(services, options)
        return cls(host, Acceptor.of(host, options), place, options.drain_seconds)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Server]:
        """Serve for as long as a block runs; see `open_server`."""
        check_trio("farcall.open_server")
        async with open_owned_nursery() as nursery:
            server = await nursery.start(self.run)
            yield server
            server.shutdown()

    async def run(self, *, task_status: trio.TaskStatus[Server]) -> None:
        """Enter `lifespan=`, listen and serve until `Server.shutdown`, then drain."""
        closed = trio.Event()
        try:
            async with self.host.open():
                await self._listen(closed, task_status)
        finally:
            closed.set()

    async def _listen(self, closed: trio.Event, task_status: trio.TaskStatus[Server]) -> None:
        listeners = await open_listeners(self.place)
        server = Server(self.acceptor, listeners, closed)
        try:
            async with open_owned_nursery() as nursery:
                self.host.start_background(nursery)
                accepting = trio.CancelScope()
                nursery.start_soon(_accept, accepting, self.acceptor, listeners, nursery)
                where = ", ".join(server.urls)
                if listeners.is_open_to_all:
                    where += " and every other address of this machine"
                logger.info("listening at %s, serving %s", where, self.host.offer)
                task_status.started(server)
                await server.wait_shutdown()
                accepting.cancel()
                seconds = self.drain_seconds
                logger.info("%s: shutting down, with %g s for calls", server.url, seconds)
                await self.host.drain(seconds)
                nursery.cancel_scope.cancel()
        finally:
            listeners.close()
            logger.info("%s: the server has ended", server.url)


async def _accept(
    scope: trio.CancelScope, acceptor: Acceptor, listeners: Listeners, handlers: trio.Nursery
) -> None:
    try:
        with scope:
            # When descriptors run out (EMFILE), Trio's accept loop tries again after a while.
            await trio.serve_listeners(acceptor.handle, listeners.sockets, handler_nursery=handlers)
    finally:
        listeners.close()  # so that connections during a drain are refused at once


@takes(ServeKeywords, ServerOptions)
def open_server(
    services: App | Services, port: int | None = None, **keywords: Unpack[ServeKeywords]
) -> AbstractAsyncContextManager[Server]:
    """Serve services over WebSocket for as long as an ``async with`` block runs.

    A block that ends normally drains the server: it accepts no more connections, refuses new calls,
    and gives running calls `drain_seconds` to end. A block that ends by an exception or a
    cancellation cuts every link at once. `Server.shutdown` drains while the block goes on.

    Args:
        services: As for `serve`, as every other argument.
        port: As for `serve`.

    Returns:
        A context manager whose block gets the `Server`, which listens.

    Raises:
        OSError: it cannot listen there; the message says where.
        DeclarationError: an object is no service, or two offer the same name at one path.
        TypeError: an argument is of another type, or given to an `App` as well; the message names
            it.
        ValueError: an argument makes no sense, or there is nothing to serve, or nowhere to listen.
        Exception: an exception of the block or of a ``@background`` method, unchanged; the latter
            cancels the block.

    Resources:
        The sockets, and a nursery with one task for each connection.

    Cancellation:
        Cuts every link and cancels every handler at once.

    >>> from farcall import connect, functions
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> async def main() -> None:
    ...     async with (
    ...         open_server(functions(add, name=""), 0) as server,
    ...         connect(server.url) as session,
    ...     ):
    ...         print(await session.call("add", 2, 3))
    >>> trio.run(main)
    5
    """
    return Opening(Serving.of(open_server, services, port, keywords).open(), ADVICE)


@takes(ServeKeywords, ServerOptions)
async def serve(
    services: App | Services,
    port: int | None = None,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
    **keywords: Unpack[ServeKeywords],
) -> None:
    """Serve services over WebSocket until `Server.shutdown`: ``await nursery.start(serve, ...)``.

    `open_server` does the same for a block, and takes the same arguments.

    Args:
        services: A service object, a list of several, or ``{"/": A(), "/side": [B(), C()]}`` to
            serve at several paths. Requests for any other path get HTTP 404. Or an `App`, which has
            services and options; an option may be given to it or here.
        port: The TCP port; 0 for a free one, which `Server.port` has. Optional if `unix` or `sock`
            is given.
        host: The address to listen at: an IPv4 or IPv6 address, or a name with all its
            addresses; a list of several; None for every interface of the machine.
        unix: The path of a Unix socket to listen at, with mode 0600: only the user of this process
            can open it. A socket that no process listens at is replaced.
        sock: A listening socket, such as an inherited one, or a list of several. `serve` closes
            them at its end.
        ssl_context: For TLS, with the certificate of this server; not used for the Unix socket.
        trusted_proxies: Proxies whose X-Forwarded-For has the address of the peer: addresses,
            networks such as ``10.0.0.0/8``, and ``unix`` for those at the Unix socket.
        interceptors: Around each call, both those served and those made to clients; the first one
            is outermost.
        max_call_seconds: Limits each call; after it the handler is cancelled, and the caller gets
            `DeadlineExceeded`.
        debug: Whether callers get notes and tracebacks of failures, as notes of the exception. They
            reveal the inside of the server: use it only with callers that you trust.
        cancel_grace: Seconds for which a cancelled call to a client waits for its response.
        authenticate: ``async def f(credentials)``, called in each handshake, within its time limit,
            and for each login. It returns a `Principal`, or None if the credentials match none, and
            may raise `Unauthorized` to refuse a handshake. See `farcall.auth`.
        lifespan: A function that returns an async context manager, which is entered before the
            server listens, and left after the last link has ended. Handlers read what it yields by
            `CallContext.lifespan`.
        allowed_origins: Web pages that may connect beside those of this server: origins such as
            ``https://example.com``, or ``null``. Only browsers send an origin.
        allowed_hosts: Names of a server on a loopback address, beside localhost and that address:
            ``example.com``, with or without a port. Needed for a proxy on the same machine that
            forwards the name in the request.
        limits: The limits of each peer, and of all.
        drain_seconds: Time for running calls after `Server.shutdown`.
        heartbeat: When to ping a silent peer, and when to drop it.
        task_status: Reports the `Server` as soon as it listens.

    Raises:
        OSError: it cannot listen there; the message says where.
        DeclarationError: an object is no service, or two offer the same name at one path.
        TypeError: an argument is of another type, or given to an `App` as well; the message names
            it.
        ValueError: an argument makes no sense, such as a path that no client can ask for, an
            origin with a star, or a socket that does not listen; or there is nothing to serve, or
            nowhere to listen.
        Exception: an exception of a ``@background`` method, unchanged.

    Resources:
        The sockets, and a nursery with one task for each connection.

    Cancellation:
        Cuts every link and cancels every handler at once.

    >>> from farcall import connect, functions
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> async def main() -> None:
    ...     async with trio.open_nursery() as nursery:
    ...         server = await nursery.start(serve, functions(add, name=""), 0)
    ...         async with connect(server.url) as session:
    ...             print(await session.call("add", 2, 3))
    ...         server.shutdown()
    >>> trio.run(main)
    5
    """
    check_trio("farcall.serve")
    await Serving.of(serve, services, port, keywords).run(task_status=task_status)
