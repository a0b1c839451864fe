"""A server without its sockets: serves services to links of any transport.

A `Host` has the endpoints of each path, runs each link in a task of its caller's, and drains the
links that are open.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from typing import TypeAlias, cast
from urllib.parse import quote

import attrs
import trio

from farcall._calling.calls import LinkCaller
from farcall._connection.link import Link
from farcall._context import NO_LIFESPAN
from farcall._declare import is_service
from farcall._limits import message_limit
from farcall._nursery import open_owned_nursery
from farcall._protocol.protocol import Protocol
from farcall._server.lifespan import enter
from farcall._server.options import HostOptions
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.endpoints import Endpoints, greeting, warn_of_protected
from farcall._serving.login import Logins
from farcall._transport.transport import Transport
from farcall._usage.options import wrong_type, wrong_value

logger = logging.getLogger("farcall")

Services: TypeAlias = object | Sequence[object] | Mapping[str, object]
"""One service object, several, or a table of them by path, each value one or several."""


@attrs.frozen
class ServerStatistics:
    """A snapshot of a server."""

    connections: int
    """Links that are open."""
    accepted: int
    """Links that were opened since the server started."""
    calls: int
    """Calls in flight, subscriptions included."""
    pending: int = 0
    """Handshakes in progress."""


class Host:
    """Serve services to links.

    Args:
        services: The service objects, by path if there are several paths.
        options: Of all links.

    Raises:
        DeclarationError: an object is no service, or two offer the same name at one path.
        TypeError: `services` is of another type.
        ValueError: `services` is empty, or no client could ask for one of the paths.
    """

    def __init__(self, services: Services, options: HostOptions) -> None:
        self.paths = check_services(services)
        authenticate = options.authenticate
        self.logins = None if authenticate is None else Logins(authenticate, options.limits)
        """How peers log in; None where they cannot."""
        if self.logins is None:
            warn_of_protected(self.paths.values(), "authenticate= is missing")
        self._options = options
        self._links: set[Link] = set()
        self._accepted = 0
        self._is_draining = False
        self._lifespan: object = NO_LIFESPAN
        """What `lifespan=` yielded."""

    def statistics(self) -> ServerStatistics:
        """Take a snapshot."""
        calls = sum(len(link.protocol.incoming) for link in self._links)
        return ServerStatistics(len(self._links), self._accepted, calls)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Enter `lifespan=`, whose value the handlers of all links read.

        Raises:
            TypeError: `lifespan=` returned no async context manager.
        """
        if self._options.lifespan is None:
            yield
            return
        async with enter(self._options.lifespan) as self._lifespan:
            yield

    @property
    def offer(self) -> str:
        """The services and their paths, for the log."""
        return "; ".join(
            f"{', '.join(service or 'a service without a name' for service in each.contracts)}"
            f" at {path}"
            for path, each in self.paths.items()
        )

    @property
    def links(self) -> frozenset[Link]:
        """The links that are open."""
        return frozenset(self._links)

    def start_background(self, nursery: trio.Nursery) -> None:
        """Start each ``@background`` method once, in `nursery`."""
        # By identity: an object may be served at several paths, and may be unhashable.
        functions = {
            (id(function.__self__), function.__name__): function
            for endpoints in self.paths.values()
            for function in endpoints.background
        }
        for function in functions.values():
            nursery.start_soon(function)

    async def serve_link(self, transport: Transport) -> None:
        """Serve a link at the path of its handshake, until it ends."""
        link = self._make_link(transport, self.paths[transport.endpoint.path])
        self._links.add(link)
        self._accepted += 1
        logger.debug("%s: connected, at %s", link.endpoint.peer, link.endpoint.path)
        try:
            if self._is_draining:
                link.start_soon(link.drain, 0.0)
            await link.run()
        finally:
            self._links.discard(link)
            if (reason := link.close_reason) is not None:
                who = "the peer" if reason.remote else "this side"
                logger.debug("%s: closed by %s with %d", link.endpoint.peer, who, reason.code)

    def _make_link(self, transport: Transport, endpoints: Endpoints) -> Link:
        options = self._options
        limits = options.limits
        most = message_limit(limits, is_client=False).size
        own = greeting(limits, most, endpoints.contracts)

        def make_handler(link: Link) -> Dispatcher:
            caller = LinkCaller(link, options.interceptors, "warn", link.endpoint.peer)
            caller.connection._note_lifespan(self._lifespan)
            return Dispatcher(link, caller, endpoints, options, self.logins)

        return Link(
            transport,
            Protocol(own, has_dialled=False, limits=limits),
            make_handler,
            heartbeat=options.heartbeat,
            cancel_grace=options.cancel_grace,
            limits=limits,
        )

    async def drain(self, seconds: float) -> None:
        """Drain every link, for so many seconds at most; new ones end at once."""
        self._is_draining = True
        async with open_owned_nursery() as nursery:
            for link in self.links:
                nursery.start_soon(link.drain, seconds)


def check_services(services: object) -> Mapping[str, Endpoints]:
    """Return the endpoints of each path.

    Raises:
        DeclarationError: an object is no service, or two offer the same name at one path.
        TypeError: `services` is of another type.
        ValueError: `services` is empty, or no client could ask for one of the paths.
    """
    # A service object is one, even if its class derives from dict.
    if is_service(services) or not isinstance(services, Mapping):
        return {"/": Endpoints.of(_several(services, "services"))}
    table = cast("Mapping[object, object]", services)
    if not table:
        raise ValueError(
            'services is an empty dict: there is nothing to serve; write {"/": Shop()}'
        )
    name = "each path of services"
    return {
        check_path(name, path): Endpoints.of(_several(each, f"services[{path!r}]"))
        for path, each in table.items()
    }


def _several(given: object, name: str) -> Sequence[object]:
    """Return the objects to serve at one path, of which `given` may be one."""
    if is_service(given):
        return [given]
    match given:
        case None | str() | bytes() | int() | float() | Mapping() | Set() | Iterator():
            takes = "a service object, a list of them, or a dict of them by path"
            raise wrong_type(name, takes, cast("object", given), "[Shop(), News()]")
        case Sequence():
            several = cast("Sequence[object]", given)
            if not several:
                kind = type(several).__name__
                raise ValueError(f"{name} is an empty {kind}: there is nothing to serve")
            return several
        case _:
            return [given]


def check_path(name: str, path: object) -> str:
    """Check the path of a service.

    Args:
        name: Of the parameter.
        path: As it would stand in a request.

    Raises:
        TypeError: it is not a str.
        ValueError: no client could ask for it.
    """
    takes = "a path that begins with a slash"
    if not isinstance(path, str):
        raise wrong_type(name, takes, path, '{"/": Shop()}')
    if not path.startswith("/"):
        raise wrong_value(name, takes, path, repr(f"/{path}"))
    asked_for = _as_asked_for(path)
    if path != asked_for:
        takes = "a path as it stands in a request, or no client could ask for it"
        raise wrong_value(name, takes, path, repr(asked_for))
    return path


def _as_asked_for(path: str) -> str:
    """Write a path as clients send it (RFC 3986, sections 3.3 and 5.2.4)."""
    alone = re.split(r"[?#]", path)[0]
    encoded = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", alone)
    quoted = quote(encoded, safe="-._~!$&'()*+,;=:@%/", errors="replace")
    return posixpath.normpath(quoted) if {".", ".."} & {*quoted.split("/")} else quoted
