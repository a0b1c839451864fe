"""A server: it listens, accepts connections, and lets running calls finish at its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Unpack

import attrs
import trio

from farcall._nursery import open_owned_nursery
from farcall._server.acceptor import Acceptor
from farcall._server.host import Host, ServerStatistics, Services
from farcall._server.options import ServeKeywords, ServerOptions
from farcall._transport.listen import Listeners, open_listeners
from farcall._usage.home import Home, check_trio
from farcall._usage.keywords import check_keywords, takes
from farcall._usage.live import Live

logger = logging.getLogger("farcall")


class Server(Live):
    """A running server, which `serve` reports as soon as it listens."""

    def __init__(self, acceptor: Acceptor, listeners: Listeners) -> None:
        self._acceptor = acceptor
        self.urls: Sequence[str] = listeners.urls(is_secure=acceptor.ssl_context is not None)
        """The URLs for clients on this machine, without a path: inherited sockets first, then TCP,
        then the Unix socket. A socket that listens at every address has the URL of the loopback,
        such as ``ws://127.0.0.1:8765``."""
        self._ports = listeners.ports
        self._home = Home()
        self._shutdown = trio.Event()
        self._closed = trio.Event()

    def __repr__(self) -> str:
        return f"<Server at {self.url}>"

    @property
    def port(self) -> int:
        """The port that it listens at, the first if there are several.

        Raises:
            RuntimeError: it listens only at Unix sockets.
        """
        if not self._ports:
            raise RuntimeError(f"this server has no port, it listens at {self.url}")
        return self._ports[0]

    @property
    def url(self) -> str:
        """The first of `urls`, for `connect`."""
        return self.urls[0]

    def statistics(self) -> ServerStatistics:
        """Take a snapshot."""
        acceptor = self._acceptor
        return attrs.evolve(acceptor.host.statistics(), pending=acceptor.guard.pending)

    def shutdown(self) -> None:
        """Accept no more connections, drain, and let `serve` return. Never blocks.

        Raises:
            RuntimeError: it was called in another thread than that of the Trio run; there call
                ``trio.from_thread.run_sync(server.shutdown)``.
        """
        self._home.check("Server.shutdown", "trio.from_thread.run_sync(server.shutdown)")
        self._shutdown.set()

    @property
    def is_draining(self) -> bool:
        """Whether `shutdown` was called."""
        return self._shutdown.is_set()

    async def wait_shutdown(self) -> None:
        """Wait until `shutdown` was called.

        Cancellation:
            The server goes on.
        """
        await self._shutdown.wait()

    async def wait_closed(self) -> None:
        """Wait until the last link has ended and `serve` is about to return.

        Cancellation:
            The server goes on.
        """
        await self._closed.wait()


@takes(ServeKeywords, ServerOptions)
async def serve(
    services: Services,
    port: int | None = None,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
    **keywords: Unpack[ServeKeywords],
) -> None:
    """Serve services over WebSocket until `Server.shutdown`: ``await nursery.start(serve, ...)``.

    Args:
        services: A service object, a list of several, or ``{"/": A(), "/side": [B(), C()]}`` to
            serve at several paths. Requests for any other path get HTTP 404.
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
        TypeError: an argument is of another type; the message names it.
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
    check_keywords(serve, keywords)
    options = ServerOptions(**keywords)
    place = options.place(port)
    host = Host(services, options)
    acceptor = Acceptor.of(host, options)
    listeners = await open_listeners(place)
    server = Server(acceptor, listeners)
    try:
        async with open_owned_nursery() as nursery:
            host.start_background(nursery)
            accepting = trio.CancelScope()
            nursery.start_soon(_accept, accepting, acceptor, listeners, nursery)
            where = ", ".join(server.urls)
            if listeners.is_open_to_all:
                where += " and every other address of this machine"
            logger.info("listening at %s, serving %s", where, host.offer)
            task_status.started(server)
            await server.wait_shutdown()
            accepting.cancel()
            logger.info("%s: shutting down, with %g s for calls", server.url, options.drain_seconds)
            await host.drain(options.drain_seconds)
            nursery.cancel_scope.cancel()
    finally:
        listeners.close()
        server._closed.set()
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
