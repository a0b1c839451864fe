"""Serving over TCP: listeners, handshakes, and an end that lets running calls finish."""

from __future__ import annotations

import logging
import math
import os
import socket
import ssl
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import attrs
import trio

from farcall._connection.heartbeat import Heartbeat
from farcall._connection.link import CANCEL_GRACE
from farcall._interceptors import Interceptor
from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._nursery import open_owned_nursery
from farcall._principal import Authenticate
from farcall._server.acceptor import Acceptor
from farcall._server.guard import ConnectionGuard, descriptor_limit
from farcall._server.host import Host, ServerStatistics, Services, serving_of
from farcall._serving.login import identify
from farcall._transport.http import OriginPolicy, TrustedProxies
from farcall._transport.listen import Listeners, Place, open_listeners
from farcall._usage.home import Home, check_trio
from farcall._usage.live import Live
from farcall._usage.options import (
    check_instance,
    check_int,
    check_path,
    check_seconds,
    check_several,
    check_texts,
    check_tls,
    wrong_value,
)

logger = logging.getLogger("farcall")

DRAIN_SECONDS = 10.0
"""How long running calls may take after the server was asked to end; orchestrators kill at 30."""

DEFAULT_HEARTBEAT = Heartbeat()


class Server(Live):
    """A server that listens; `serve` reports it when it does.

    Made by `serve` alone.
    """

    def __init__(
        self, host: Host, capacity: ConnectionGuard, listeners: Listeners, *, is_secure: bool
    ) -> None:
        self._host = host
        self._capacity = capacity
        self.urls: Sequence[str] = listeners.urls(is_secure=is_secure)
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
        return attrs.evolve(self._host.statistics(), pending=self._capacity.pending)

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


async def serve(
    services: Services,
    port: int | None = None,
    *,
    host: str | Sequence[str] | None = "127.0.0.1",
    unix: str | os.PathLike[str] | None = None,
    sock: socket.socket | Sequence[socket.socket] = (),
    ssl_context: ssl.SSLContext | None = None,
    trusted_proxies: Collection[str] = (),
    interceptors: Sequence[Interceptor] = (),
    max_call_seconds: float = math.inf,
    debug: bool = False,
    cancel_grace: float = CANCEL_GRACE,
    authenticate: Authenticate | None = None,
    allowed_origins: Collection[str] = (),
    allowed_hosts: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    drain_seconds: float = DRAIN_SECONDS,
    heartbeat: Heartbeat = DEFAULT_HEARTBEAT,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
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
    place = _place(port, host, unix, sock)
    gate, proxies = _gate(allowed_origins, allowed_hosts), _proxies(trusted_proxies)
    check_seconds("drain_seconds=", drain_seconds, may_be_zero=True, may_be_infinite=False)
    if ssl_context is not None:
        check_tls("ssl_context=", ssl_context, in_server=True)
    serving = serving_of(interceptors, max_call_seconds, debug, authenticate, limits)
    served = Host(
        services,
        serving,
        limits=limits,
        heartbeat=heartbeat,
        cancel_grace=cancel_grace,
    )
    capacity = ConnectionGuard.of(limits, descriptor_limit())
    admit = partial(identify, serving.logins)
    door = Acceptor(served, limits, capacity, gate, proxies, admit, ssl_context)
    listeners = await open_listeners(place)
    server = Server(served, capacity, listeners, is_secure=ssl_context is not None)
    try:
        async with open_owned_nursery() as nursery:
            served.start_background(nursery)
            accepting = trio.CancelScope()
            nursery.start_soon(_accept, accepting, door, listeners, nursery)
            where = ", ".join(server.urls)
            if listeners.is_open_to_all:
                where += " and every other address of this machine"
            logger.info("listening at %s, serving %s", where, served.offer)
            task_status.started(server)
            await server.wait_shutdown()
            accepting.cancel()
            logger.info("%s: shutting down, with %g s for calls", server.url, drain_seconds)
            await served.drain(drain_seconds)
            nursery.cancel_scope.cancel()
    finally:
        listeners.close()
        server._note_closed()
        logger.info("%s: the server has ended", server.url)


async def _accept(
    scope: trio.CancelScope, door: Acceptor, listeners: Listeners, handlers: trio.Nursery
) -> None:
    try:
        with scope:
            # Trio's accept loop lives on when descriptors run out (EMFILE), and tries again.
            await trio.serve_listeners(door.enter, listeners.sockets, handler_nursery=handlers)
    finally:
        listeners.close()  # whoever connects during a drain is refused at once


def _place(
    port: int | None,
    host: str | Sequence[str] | None,
    unix: str | os.PathLike[str] | None,
    sock: socket.socket | Sequence[socket.socket],
) -> Place:
    hosts, sockets = _hosts(host), _sockets(sock)
    if port is not None:
        check_int("port", port, least=0, most=65535)
    if port is None and unix is None and not sockets:
        raise ValueError("nowhere to listen: give a port, unix= or sock=")
    path = None if unix is None else Path(check_path("unix=", unix, '"/run/shop.sock"'))
    return Place(() if port is None else hosts, port or 0, path, sockets)


def _hosts(host: object) -> Sequence[str | None]:
    takes, write = "an address or name, a list of them, or None for every interface", '"127.0.0.1"'
    if host is None:
        return [None]
    hosts = [host] if isinstance(host, str) else host
    check_texts("host=", hosts, takes, write)
    several = list(cast("Collection[str]", hosts))
    if not several:
        raise wrong_value("host=", "an address at least", host, "None for every interface")
    for each in several:
        if not each or not each.isprintable() or " " in each:
            raise wrong_value("host=", "an address or a name", each, write)
    return several


def _sockets(sock: object) -> Sequence[socket.socket]:
    takes, write = "a listening socket.socket, or a list of them", "socket.socket(fileno=3)"
    if isinstance(sock, socket.socket):
        return [sock]
    check_several("sock=", sock, takes, write)
    several = list(cast("Collection[object]", sock))
    for each in several:
        check_instance("each element of sock=", each, socket.socket, "a socket.socket", write)
    return cast("list[socket.socket]", several)


def _gate(origins: Collection[str], hosts: Collection[str]) -> OriginPolicy:
    check_texts("allowed_origins=", origins, "a list of origins", '["https://example.com"]')
    check_texts("allowed_hosts=", hosts, "a list of names", '["example.com"]')
    return OriginPolicy.of(origins, hosts)


def _proxies(trusted: Collection[str]) -> TrustedProxies:
    check_texts("trusted_proxies=", trusted, "a list of addresses or networks", '["10.0.0.0/8"]')
    return TrustedProxies.of(trusted)
