"""Serving over TCP: listeners, handshakes, and an end that lets running calls finish."""

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
    """A server that listens; `serve` reports it when it does.

    Made by `serve` alone.
    """

    def __init__(self, acceptor: Acceptor, listeners: Listeners) -> None:
        self._acceptor = acceptor
        self.urls: Sequence[str] = listeners.urls(is_secure=acceptor.ssl_context is not None)
        """Where a client on this machine reaches each address, without a path: inherited sockets
        first, then TCP, then the Unix socket. For a socket that listens at every address it is
        that of the machine itself, such as ``ws://127.0.0.1:8765``."""
        self._ports = listeners.ports
        self._home = Home()
        self._shutdown = trio.Event()
        self._closed = trio.Event()

    def __repr__(self) -> str:
        return f"<Server at {self.url}>"

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for; the first one, where there are several.

        Raises:
            RuntimeError: it listens at Unix sockets alone.
        """
        if not self._ports:
            raise RuntimeError(f"this server has no port, it listens at {self.url}")
        return self._ports[0]

    @property
    def url(self) -> str:
        """The first of `urls`, which `connect` takes."""
        return self.urls[0]

    def statistics(self) -> ServerStatistics:
        """Take a snapshot."""
        acceptor = self._acceptor
        return attrs.evolve(acceptor.host.statistics(), pending=acceptor.capacity.pending)

    def shutdown(self) -> None:
        """Begin the end: accept no more, drain, and let `serve` return. Never blocks.

        Raises:
            RuntimeError: this is another thread than that of the Trio run. There call
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
        """Wait until the last link has ended, and `serve` is about to return.

        Cancellation:
            The server goes on.
        """
        await self._closed.wait()

    def _note_closed(self) -> None:
        """Let those go who wait for the end."""
        self._closed.set()


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
        services: A service object, several in a list, or ``{"/": A(), "/side": [B(), C()]}``,
            where the path is the namespace; any other path is answered with HTTP 404.
        port: To listen at; 0 for any that is free (`Server.port` tells). It may be left out
            where `unix` or `sock` is given.
        host: The address to listen at: an IPv4 or IPv6 address, or a name with all its
            addresses; several in a list; None for every interface of the machine.
        unix: The path of a Unix socket to listen at, which none but the user of this process can
            open (mode 0600). A socket that nobody listens at any more is replaced.
        sock: A socket that listens already, such as one that was inherited, or several. They are
            closed at the end.
        ssl_context: For TLS, with the certificate of this server; a Unix socket has none.
        trusted_proxies: Those whose X-Forwarded-For says who the peer is: addresses, networks
            such as ``10.0.0.0/8``, and ``unix`` for who connects to the Unix socket.
        interceptors: Around each call, both those served and those made back; the first one is
            outermost.
        max_call_seconds: For each call; over it the handler is cancelled, and its caller gets
            `DeadlineExceeded`.
        debug: Whether notes and tracebacks of failures travel to callers, who see them as notes of
            the exception. Never where callers are strangers: they tell how the server is made.
        cancel_grace: Seconds for which a cancelled call of a client waits for its answer.
        authenticate: ``async def f(credentials)`` tells who a peer is: in each handshake, inside of
            its time, and for each login. It gives a `Principal`, or None for nobody it knows, and
            may raise `Unauthorized` to refuse a handshake. See `farcall.auth`.
        allowed_origins: Whose pages may connect beside those of this server: origins such as
            ``https://example.com``, or ``null``. Peers that are no browsers send none.
        allowed_hosts: Under which names a server on a loopback address is known, beside localhost
            and that address: ``example.com``, or with its port. It is for proxies on the same
            machine that pass on the name which they were called by.
        limits: What peers may cost.
        drain_seconds: For running calls, after `Server.shutdown`.
        heartbeat: When a silent peer is pinged, and when it is given up.
        task_status: Reports the `Server` as soon as it listens.

    Raises:
        OSError: it cannot listen there; says where.
        DeclarationError: something served is no service, or a name is offered twice.
        TypeError: an argument is of another type; names it.
        ValueError: an argument makes no sense, such as a path that no client can ask for, an
            origin with a star, or a socket that does not listen; or there is nothing to serve, or
            nothing to listen at.
        Exception: what a ``@background`` method raised, as it is.

    Resources:
        The sockets, and a nursery with one task for each connection.

    Cancellation:
        Every link is cut, and every handler cancelled, at once.

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
        server._note_closed()
        logger.info("%s: the server has ended", server.url)


async def _accept(
    scope: trio.CancelScope, acceptor: Acceptor, listeners: Listeners, handlers: trio.Nursery
) -> None:
    try:
        with scope:
            # Trio's accept loop lives on when descriptors run out (EMFILE), and tries again.
            await trio.serve_listeners(acceptor.enter, listeners.sockets, handler_nursery=handlers)
    finally:
        listeners.close()  # whoever connects during a drain is refused at once
