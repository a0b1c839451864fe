"""The options of a server: how it serves, and where it listens."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

import attrs

from farcall._principal import Authenticate, check_authenticate
from farcall._server.lifespan import Lifespan, check_lifespan
from farcall._serving.options import LinkKeywords, LinkOptions
from farcall._transport.listen import ListenSpec
from farcall._usage.options import (
    check_instance,
    check_int,
    check_path,
    check_seconds,
    check_several,
    check_texts,
    check_tls,
    optional,
    validator,
    wrong_value,
)

DRAIN_SECONDS = 10.0
"""Time for running calls after a shutdown; orchestrators kill a process after 30."""


class HostKeywords(LinkKeywords, total=False):
    """How services are served, wherever that is; `HostOptions` has the defaults."""

    debug: bool
    authenticate: Authenticate | None
    lifespan: Lifespan | None


@attrs.frozen(kw_only=True, slots=False)
class HostOptions(LinkOptions):
    """How services are served, wherever that is."""

    authenticate: Authenticate | None = attrs.field(
        default=None, validator=validator(optional(check_authenticate))
    )
    lifespan: Lifespan | None = attrs.field(
        default=None, validator=validator(optional(check_lifespan))
    )


@attrs.frozen(kw_only=True, slots=False)
class AppOptions(HostOptions):
    """How services are served at sockets, wherever these are: the options of an app."""

    allowed_origins: Collection[str] = attrs.field(
        default=(),
        validator=validator(
            check_texts, takes="a list of origins", write='["https://example.com"]'
        ),
    )
    allowed_hosts: Collection[str] = attrs.field(
        default=(),
        validator=validator(check_texts, takes="a list of names", write='["example.com"]'),
    )
    drain_seconds: float = attrs.field(
        default=DRAIN_SECONDS,
        validator=validator(check_seconds, may_be_zero=True, may_be_infinite=False),
    )


class ServeKeywords(HostKeywords, total=False):
    """What `serve` takes; `ServerOptions` has the defaults."""

    host: str | Sequence[str] | None
    unix: str | os.PathLike[str] | None
    sock: socket.socket | Sequence[socket.socket]
    ssl_context: ssl.SSLContext | None
    trusted_proxies: Collection[str]
    allowed_origins: Collection[str]
    allowed_hosts: Collection[str]
    drain_seconds: float


@attrs.frozen(kw_only=True, slots=False)
class ServerOptions(AppOptions):
    """How services are served, and where."""

    host: str | Sequence[str] | None = "127.0.0.1"
    unix: str | os.PathLike[str] | None = None
    sock: socket.socket | Sequence[socket.socket] = ()
    ssl_context: ssl.SSLContext | None = attrs.field(
        default=None, validator=validator(optional(check_tls), in_server=True)
    )
    trusted_proxies: Collection[str] = attrs.field(
        default=(),
        validator=validator(
            check_texts, takes="a list of addresses or networks", write='["10.0.0.0/8"]'
        ),
    )

    def place(self, port: int | None) -> ListenSpec:
        """Return the addresses to listen at.

        Raises:
            TypeError: an address, a path, a socket or the port is of another type.
            ValueError: there is none, or one of them makes no sense.
        """
        hosts, sockets = _hosts(self.host), _sockets(self.sock)
        if port is not None:
            check_int("port", port, least=0, most=65535)
        if port is None and self.unix is None and not sockets:
            raise ValueError("nowhere to listen: give a port, unix= or sock=")
        unix = None if self.unix is None else check_path("unix=", self.unix, '"/run/shop.sock"')
        return ListenSpec(
            hosts=() if port is None else hosts,
            port=port or 0,
            unix=None if unix is None else Path(unix),
            sockets=sockets,
        )


def _hosts(host: object) -> Sequence[str | None]:
    takes, write = "an address or name, a list of them, or None for every interface", '"127.0.0.1"'
    if host is None:
        return [None]
    hosts = [host] if isinstance(host, str) else host
    check_texts("host=", hosts, takes, write)
    several = list(cast("Collection[str]", hosts))
    if not several:
        raise wrong_value("host=", "at least one address", host, "None for every interface")
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
