"""The options of ``farcall serve``, and its server."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import attrs

import farcall
from farcall._cli.errors import CommandError, WrongUse
from farcall._cli.served import finish
from farcall._server.app import given_twice
from farcall._server.host import Services
from farcall._server.options import ServeKeywords
from farcall._transport.listen import CANNOT_LISTEN

DEFAULT_PORT: Final = 8765

OPTIONS: Final[Mapping[str, str]] = {
    "allowed_origins": "--allowed-origin",
    "allowed_hosts": "--allowed-host",
    "trusted_proxies": "--trusted-proxy",
    "drain_seconds": "--drain-seconds",
    "host": "--host",
    "unix": "--unix",
}
"""What the command calls keywords of `farcall.serve`."""


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
    drain_seconds: float | None = None

    @property
    def port_to_listen(self) -> int | None:
        """The port; `DEFAULT_PORT` if nothing says where to listen."""
        elsewhere = self.unix is not None or bool(self.fd)
        return DEFAULT_PORT if self.port is None and not elsewhere else self.port

    def keywords(self) -> ServeKeywords:
        """Make the keywords of `farcall.serve`; those of an app only where they are given.

        Raises:
            WrongUse: a certificate cannot be read, or a descriptor is no socket.
        """
        keywords: ServeKeywords = {
            "host": self.host,
            "unix": self.unix,
            "sock": [_inherited(number) for number in self.fd],
            "ssl_context": self._ssl_context(),
            "trusted_proxies": self.trusted_proxy,
        }
        if self.allowed_origin:
            keywords["allowed_origins"] = self.allowed_origin
        if self.allowed_host:
            keywords["allowed_hosts"] = self.allowed_host
        if self.drain_seconds is not None:
            keywords["drain_seconds"] = self.drain_seconds
        return keywords

    def _ssl_context(self) -> ssl.SSLContext | None:
        if self.tls_cert is None:
            if self.tls_key is not None:
                raise WrongUse("--tls-key needs the certificate as well: --tls-cert")
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # Without `password` OpenSSL would ask for that of an encrypted key at the terminal.
            context.load_cert_chain(self.tls_cert, self.tls_key, password=lambda: "")
        except OSError as error:  # also `ssl.SSLError`
            files = " ".join(str(path) for path in (self.tls_cert, self.tls_key) if path)
            raise WrongUse(f"cannot use {files} for TLS: {error.strerror or error}") from error
        return context


def _inherited(number: int) -> socket.socket:
    try:
        return socket.socket(fileno=number)
    except OSError as error:
        raise WrongUse(f"--fd {number} is no socket: {error.strerror}") from error


@asynccontextmanager
async def open_targets(
    targets: Sequence[str],
    prepared: Sequence[object],
    port: int | None,
    keywords: ServeKeywords,
) -> AsyncIterator[farcall.Server]:
    """Serve what the targets name for as long as a block runs.

    Args:
        targets: As they were given.
        prepared: What `served.prepare` made of them.
        port: As for `farcall.serve`.
        keywords: As for `farcall.serve`.

    Raises:
        CommandError: it cannot listen there, or a target cannot be served.
        DeclarationError: two services offer the same name.
        WrongUse: an option makes no sense, or the app has it as well.
    """
    services = await finish(targets, prepared)
    async with open_server(services, port, keywords) as server:
        yield server


@asynccontextmanager
async def open_server(
    services: farcall.App | Services, port: int | None, keywords: ServeKeywords
) -> AsyncIterator[farcall.Server]:
    """Serve as `farcall.open_server` does, with errors in the words of the command.

    Raises:
        CommandError: it cannot listen there.
        WrongUse: an option makes no sense, or the app has it as well.
    """
    if isinstance(services, farcall.App):
        for name in given_twice(services, keywords):
            option = _in_words_of_the_command(f"{name}=")
            raise WrongUse(f"{option} is given, and {name}= to the App: leave one out")
    try:
        opening = farcall.open_server(services, port, **keywords)
    except ValueError as error:
        raise WrongUse(_in_words_of_the_command(str(error))) from error
    with _no_place():
        async with opening as server:
            yield server


@contextmanager
def _no_place() -> Iterator[None]:
    """Tell in one line that a server cannot listen, rather than by a traceback."""
    try:
        yield
    except OSError as error:
        text = error.strerror or ""
        if text.startswith(CANNOT_LISTEN):
            raise CommandError(text) from error
        raise


def _in_words_of_the_command(text: str) -> str:
    """Replace the keywords of `farcall.serve` by the options of the command."""
    for name, option in OPTIONS.items():
        variable = f"FARCALL_{option.removeprefix('--').replace('-', '_').upper()}"
        if variable in os.environ:
            option += f" (or {variable})"  # noqa: PLW2901
        text = text.replace(f"{name}=", option)
        text = text.replace(f"in {name} ", f"in {option} ")
    return text
