"""Serving links, wherever they come from: what a server is without its sockets.

A `Host` knows what is offered at which path, runs one link at a time in a task of its caller's,
and remembers those that live, to drain them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import attrs
import trio

from farcall._caller import LinkCaller
from farcall._connection.heartbeat import Heartbeat
from farcall._connection.link import CANCEL_GRACE, Link
from farcall._dispatch import Dispatcher, Serving
from farcall._endpoints import Endpoints, greeting, warn_of_protected
from farcall._limits import Limits
from farcall._nursery import open_owned_nursery
from farcall._protocol.protocol import Protocol
from farcall._transport import Transport

logger = logging.getLogger("farcall")

Services: TypeAlias = object | Sequence[object] | Mapping[str, object]
"""One service object, several, or a table of them by path, each value one or several."""


@attrs.frozen
class ServerStatistics:
    """A snapshot of a server."""

    connections: int
    """Links that live."""
    accepted: int
    """Links that ever did."""
    calls: int
    """Calls in flight, subscriptions included."""
    pending: int = 0
    """Handshakes under way."""


class Host:
    """Serve services to links.

    Args:
        services: What to serve, and where.
        serving: How calls are served.
        limits: What a peer may cost; farcall peers are told what concerns them.
        heartbeat: When a silent peer is pinged, and when it is given up.
        cancel_grace: Seconds for which a cancelled call of a client waits for its answer.

    Raises:
        DeclarationError: an object is no service, or a name is offered twice at one path.
    """

    def __init__(
        self,
        services: Services,
        serving: Serving = Serving(),  # noqa: B008 - frozen
        *,
        limits: Limits,
        heartbeat: Heartbeat,
        cancel_grace: float = CANCEL_GRACE,
    ) -> None:
        self.paths = _endpoints_by_path(services)
        if serving.logins is None:
            warn_of_protected(self.paths.values(), "serve(authenticate=...) is missing")
        self._serving = serving
        self._cancel_grace = cancel_grace
        self._limits = limits
        self._heartbeat = heartbeat
        self._links: set[Link] = set()
        self._accepted = 0
        self._is_draining = False

    def statistics(self) -> ServerStatistics:
        """Take a snapshot."""
        calls = sum(len(link.protocol.incoming) for link in self._links)
        return ServerStatistics(len(self._links), self._accepted, calls)

    @property
    def links(self) -> frozenset[Link]:
        """The links that live now."""
        return frozenset(self._links)

    def start_background(self, nursery: trio.Nursery) -> None:
        """Start each ``@background`` method once; what one raises ends `nursery`."""
        # By identity: an object may be served at several paths, and need not be hashable.
        functions = {
            (id(function.__self__), function.__name__): function
            for endpoints in self.paths.values()
            for function in endpoints.background
        }
        for function in functions.values():
            nursery.start_soon(function)

    async def serve_link(self, transport: Transport) -> None:
        """Serve one link at the path that it asked for, until it ends."""
        link = self._make_link(transport, self.paths[transport.endpoint.path])
        self._links.add(link)
        self._accepted += 1
        try:
            async with open_owned_nursery() as nursery:
                await nursery.start(link.run)
                if self._is_draining:
                    nursery.start_soon(link.drain, 0.0)
        finally:
            self._links.discard(link)

    def _make_link(self, transport: Transport, endpoints: Endpoints) -> Link:
        limits = self._limits
        own = greeting(limits, limits._of_transport_in_server().message, endpoints.contracts)

        def make_handler(link: Link) -> Dispatcher:
            caller = LinkCaller(link, self._serving.interceptors, "warn", link.endpoint.peer)
            return Dispatcher(link, caller, endpoints, self._serving)

        return Link(
            transport,
            Protocol(own, has_dialled=False, limits=limits._of_protocol()),
            make_handler,
            heartbeat=self._heartbeat,
            cancel_grace=self._cancel_grace,
            limits=limits,
        )

    async def drain(self, seconds: float) -> None:
        """End every link as gently as `seconds` allow; new ones are sent away at once."""
        self._is_draining = True
        async with open_owned_nursery() as nursery:
            for link in self.links:
                nursery.start_soon(link.drain, seconds)


def _endpoints_by_path(services: Services) -> Mapping[str, Endpoints]:
    table = cast("Mapping[object, object]", services if _is_table(services) else {"/": services})
    return {_checked(path): Endpoints.of(_several(each)) for path, each in table.items()}


def _is_table(services: Services) -> bool:
    return isinstance(services, Mapping)


def _several(services: object) -> Sequence[object]:
    is_several = isinstance(services, list | tuple)
    return cast("Sequence[object]", services) if is_several else [services]


def _checked(path: object) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(f"a path to serve at begins with a slash, unlike {path!r}")
    return path
