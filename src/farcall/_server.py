"""Serving over TCP: listeners, handshakes, and an end that lets running calls finish."""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Collection, Sequence
from contextlib import suppress

import attrs
import trio

from farcall._call import Interceptor
from farcall._connection.heartbeat import Heartbeat
from farcall._connection.link import CANCEL_GRACE
from farcall._dispatch import Serving
from farcall._door import Door
from farcall._host import Host, ServerStatistics, Services
from farcall._http import Gate
from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._nursery import open_owned_nursery
from farcall._room import Room, descriptor_limit

logger = logging.getLogger("farcall")

DRAIN_SECONDS = 10.0
"""How long running calls may take after the server was asked to end; orchestrators kill at 30."""

DEFAULT_HEARTBEAT = Heartbeat()

PORT_TRIES = 10
"""How often to look for a port that is free for IPv4 and IPv6 at once."""


class Server:
    """A server that listens; `serve` reports it when it does.

    Made by `serve` alone.
    """

    def __init__(self, host: Host, room: Room, listeners: list[trio.SocketListener]) -> None:
        self._host = host
        self._room = room
        self._listeners = listeners
        self._shutdown = trio.Event()
        self._closed = trio.Event()

    def __repr__(self) -> str:
        return f"<Server at {self.url}>"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each listening socket."""
        return [listener.socket.getsockname()[:2] for listener in self._listeners]

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for."""
        return self.addresses[0][1]

    @property
    def url(self) -> str:
        """Where the first address is reached, without a path."""
        host, port = self.addresses[0]
        return f"ws://{f'[{host}]' if ':' in host else host}:{port}"

    def statistics(self) -> ServerStatistics:
        """Take a snapshot."""
        return attrs.evolve(self._host.statistics(), pending=self._room.pending)

    def shutdown(self) -> None:
        """Begin the end: accept no more, drain, and let `serve` return. Never blocks."""
        self._shutdown.set()

    @property
    def is_draining(self) -> bool:
        """Whether `shutdown` was called."""
        return self._shutdown.is_set()

    async def wait_shutdown(self) -> None:
        """Wait until `shutdown` was called."""
        await self._shutdown.wait()

    async def wait_closed(self) -> None:
        """Wait until the last link has ended, and `serve` is about to return."""
        await self._closed.wait()

    def note_closed(self) -> None:
        """Let those go who wait for the end."""
        self._closed.set()


async def serve(
    services: Services,
    port: int,
    *,
    host: str | None = "127.0.0.1",
    interceptors: Sequence[Interceptor] = (),
    max_call_seconds: float = math.inf,
    cancel_grace: float = CANCEL_GRACE,
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
        port: To listen at; 0 for any that is free (`Server.port` tells).
        host: The address to listen at: an IPv4 or IPv6 address, or a name with all its
            addresses; None for every interface of the machine.
        interceptors: Around each call, both those served and those made back; the first one is
            outermost.
        max_call_seconds: For each call; over it the handler is cancelled, and its caller gets
            `DeadlineExceeded`.
        cancel_grace: Seconds for which a cancelled call of a client waits for its answer.
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
        ValueError: a path, an origin or a host is none.
        Exception: what a ``@background`` method raised, as it is.

    Resources:
        The sockets, and a nursery with one task for each connection.

    Cancellation:
        Every link is cut, and every handler cancelled, at once.
    """
    gate = Gate.of(allowed_origins, allowed_hosts)
    served = Host(
        services,
        Serving(tuple(interceptors), max_call_seconds),
        limits=limits,
        heartbeat=heartbeat,
        cancel_grace=cancel_grace,
    )
    listeners = await _listen(host, port)
    room = Room.of(limits, descriptor_limit())
    server = Server(served, room, listeners)
    door = Door(served, limits, room, gate)
    try:
        async with open_owned_nursery() as nursery:
            served.start_background(nursery)
            accepting = trio.CancelScope()
            nursery.start_soon(_accept, accepting, door, listeners, nursery)
            task_status.started(server)
            await server.wait_shutdown()
            accepting.cancel()
            await served.drain(drain_seconds)
            nursery.cancel_scope.cancel()
    finally:
        for listener in listeners:
            listener.socket.close()
        server.note_closed()


async def _accept(
    scope: trio.CancelScope,
    door: Door,
    listeners: list[trio.SocketListener],
    handlers: trio.Nursery,
) -> None:
    with scope:
        # Trio's accept loop lives on when descriptors run out (EMFILE), and tries again.
        await trio.serve_listeners(door.enter, listeners, handler_nursery=handlers)


async def _listen(host: str | None, port: int) -> list[trio.SocketListener]:
    try:
        if port:
            return await trio.open_tcp_listeners(port, host=host)
        return await _listen_anywhere(host)
    except OSError as error:
        raise OSError(error.errno, _explain(error, host, port)) from error


async def _listen_anywhere(host: str | None) -> list[trio.SocketListener]:
    """Find one port that is free at all addresses: asked for 0, each of them gets its own."""
    for _ in range(PORT_TRIES):
        listeners = await trio.open_tcp_listeners(0, host=host)
        ports = [listener.socket.getsockname()[1] for listener in listeners]
        if len(set(ports)) == 1:
            return listeners
        for listener in listeners:
            listener.socket.close()
        with suppress(OSError):
            return await trio.open_tcp_listeners(ports[0], host=host)
    raise OSError(errno.EADDRINUSE, f"no port is free at all addresses of {host or '*'}")


def _explain(error: OSError, host: str | None, port: int) -> str:
    where = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen at {where}: the port is in use; choose another, or 0 for any"
    if error.errno == errno.EACCES:
        return f"cannot listen at {where}: ports below 1024 are for the superuser"
    return f"cannot listen at {where}: {error.strerror or error}"
