"""A running server, as its owner sees it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from farcall._server.acceptor import Acceptor
from farcall._server.host import ServerStatistics
from farcall._transport.listen import Listeners
from farcall._usage.home import Home
from farcall._usage.live import Live


class Server(Live):
    """A running server, which `open_server` and `serve` give as soon as it listens."""

    def __init__(self, acceptor: Acceptor, listeners: Listeners, closed: trio.Event) -> None:
        self._acceptor = acceptor
        self.urls: Sequence[str] = listeners.urls(is_secure=acceptor.ssl_context is not None)
        """The URLs for clients on this machine, without a path: inherited sockets first, then TCP,
        then the Unix socket. A socket that listens at every address has the URL of the loopback,
        such as ``ws://127.0.0.1:8765``."""
        self._ports = listeners.ports
        self._home = Home()
        self._shutdown = trio.Event()
        self._closed = closed

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
