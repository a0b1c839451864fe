"""``farcall serve``: its options, and the signals that end it.

The first signal drains the server, a second one ends it at once.
"""

from __future__ import annotations

import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, Unpack

import attrs
import trio

import farcall
from farcall._cli.errors import CommandError
from farcall._nursery import open_owned_nursery
from farcall._server.options import ServeKeywords
from farcall._serving.endpoints import Endpoints, some_of

Visit: TypeAlias = Callable[[farcall.Server], Awaitable[None]]


def check_can_be_called(services: Sequence[object]) -> None:
    """Refuse services that no peer could use, because this command has no logins.

    Raises:
        CommandError: every member needs a login.
        DeclarationError: an object is no service, or two offer the same name.
    """
    endpoints = Endpoints.of(services)
    if len(endpoints.protected) == len(endpoints.members):
        raise CommandError(
            f"every member needs a login ({some_of(endpoints.protected)}), and `farcall serve` has"
            " no logins; serve it from Python with farcall.serve(..., authenticate=...)"
        )


async def serve_until_signal(
    services: Sequence[object],
    visit: Visit,
    port: int | None,
    **keywords: Unpack[ServeKeywords],
) -> None:
    """Serve until `farcall.Server.shutdown`, SIGINT or SIGTERM, and drain.

    Args:
        services: As for `farcall.serve`.
        visit: Runs beside the server as soon as it listens; a signal cancels it.
        port: As for `farcall.serve`.
        keywords: As for `farcall.serve`.

    Raises:
        CommandError: it cannot listen there, or an option makes no sense.
        DeclarationError: two services offer the same name.
        SystemExit: a second signal came.
    """
    serve = partial(farcall.serve, services, port, **keywords)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_owned_nursery() as nursery:
            try:
                server: farcall.Server = await nursery.start(serve)
            except OSError as error:
                raise CommandError(error.strerror) from error
            except ValueError as error:
                raise CommandError(_in_words_of_the_command(error)) from error
            visiting = trio.CancelScope()
            nursery.start_soon(_obey, signals, server, visiting)
            with visiting:
                await visit(server)
            await server.wait_closed()
            nursery.cancel_scope.cancel()


_OPTIONS: Final[Mapping[str, str]] = {
    "allowed_origins": "--allowed-origin",
    "allowed_hosts": "--allowed-host",
    "trusted_proxies": "--trusted-proxy",
    "host=": "--host",
    "unix=": "--unix",
}


def _in_words_of_the_command(error: ValueError) -> str:
    """Replace the keywords of `farcall.serve` by the options of the command."""
    text = str(error)
    for name, option in _OPTIONS.items():
        text = text.replace(name, option)
    return text


async def _obey(
    signals: AsyncIterator[int], server: farcall.Server, visiting: trio.CancelScope
) -> None:
    await anext(signals)
    print("Running calls may end; another signal cuts them short", file=sys.stderr)
    visiting.cancel()
    server.shutdown()
    raise SystemExit(128 + await anext(signals))


DEFAULT_PORT: Final = 8765


@attrs.frozen(kw_only=True)
class ServeOptions:
    """The options of ``farcall serve``."""

    port: int | None
    host: Sequence[str]
    unix: Path | None
    fd: Sequence[int]
    tls_cert: Path | None
    tls_key: Path | None
    allowed_origin: Sequence[str]
    allowed_host: Sequence[str]
    trusted_proxy: Sequence[str]

    @property
    def port_to_listen(self) -> int | None:
        """The port; `DEFAULT_PORT` if nothing says where to listen."""
        elsewhere = self.unix is not None or bool(self.fd)
        return DEFAULT_PORT if self.port is None and not elsewhere else self.port

    def keywords(self) -> ServeKeywords:
        """Make the keywords of `farcall.serve`.

        Raises:
            CommandError: a certificate cannot be read, or a descriptor is no socket.
        """
        return {
            "host": self.host,
            "unix": self.unix,
            "sock": [_inherited(number) for number in self.fd],
            "ssl_context": self._ssl_context(),
            "allowed_origins": self.allowed_origin,
            "allowed_hosts": self.allowed_host,
            "trusted_proxies": self.trusted_proxy,
        }

    def _ssl_context(self) -> ssl.SSLContext | None:
        if self.tls_cert is None:
            if self.tls_key is not None:
                raise CommandError("--tls-key needs the certificate as well: --tls-cert")
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # Without `password` OpenSSL would ask for that of an encrypted key at the terminal.
            context.load_cert_chain(self.tls_cert, self.tls_key, password=lambda: "")
        except OSError as error:  # also `ssl.SSLError`
            files = " ".join(str(path) for path in (self.tls_cert, self.tls_key) if path)
            raise CommandError(f"cannot use {files} for TLS: {error.strerror or error}") from error
        return context


def _inherited(number: int) -> socket.socket:
    try:
        return socket.socket(fileno=number)
    except OSError as error:
        raise CommandError(f"--fd {number} is no socket: {error.strerror}") from error
