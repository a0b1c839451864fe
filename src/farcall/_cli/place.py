"""Where ``farcall serve`` listens, from what stands on the command line."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from farcall._cli.errors import CommandError

DEFAULT_PORT: Final = 8765


@attrs.frozen
class Place:
    """The options of `farcall.serve` that say where, and for whom."""

    port: int | None
    host: Sequence[str]
    unix: Path | None
    fd: Sequence[int]
    tls_cert: Path | None
    tls_key: Path | None
    allowed_origin: Sequence[str]
    allowed_host: Sequence[str]
    trusted_proxy: Sequence[str]

    def options(self) -> dict[str, Any]:
        """Give them as arguments of `farcall.serve`.

        Raises:
            CommandError: a certificate cannot be read, or a descriptor is no socket.
        """
        elsewhere = self.unix is not None or bool(self.fd)
        return {
            "port": DEFAULT_PORT if self.port is None and not elsewhere else self.port,
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
            # An encrypted key would be asked for at the terminal, of which a server has none.
            context.load_cert_chain(self.tls_cert, self.tls_key, password=lambda: "")
        except OSError as error:  # those of OpenSSL are of this class too
            files = " ".join(str(path) for path in (self.tls_cert, self.tls_key) if path)
            raise CommandError(f"cannot use {files} for TLS: {error.strerror or error}") from error
        return context


def _inherited(number: int) -> socket.socket:
    try:
        return socket.socket(fileno=number)
    except OSError as error:
        raise CommandError(f"--fd {number} is no socket: {error.strerror}") from error
