"""Dial a server: name lookup, connection, TLS and handshake, within one time limit."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, cast

import idna
import trio
from msgspec import Struct
from msgspec.structs import replace
from trio.lowlevel import RunVar

from farcall._limits import Limits, check_limits
from farcall._nursery import is_group
from farcall._transport.transport import Transport
from farcall._transport.url import WebSocketUrl
from farcall._transport.websocket import connect_websocket
from farcall._usage.options import check_text, check_text_mapping, check_tls, kind_of, wrong_value
from farcall.errors import ConnectFailed

logger = logging.getLogger("farcall")

MOST_DIALS: Final = 100
"""Connections to one server that a Trio run opens at a time; others wait in line.

A server drops the oldest of too many handshakes: 1,000, or 10 % of its descriptors, of which many
systems give it 1,024. And of thousands that are opened at once each would take as long as all of
them, more than the time that each has.
"""


class Dialler(Struct, frozen=True):
    """Dials one server, any number of times; `Dialler.of` makes it from a URL."""

    url: WebSocketUrl
    headers: Mapping[str, str]
    limits: Limits
    ssl_context: ssl.SSLContext | None

    @classmethod
    def of(
        cls,
        url: str,
        headers: Mapping[str, str] | None,
        limits: Limits,
        ssl_context: ssl.SSLContext | None,
    ) -> Dialler:
        """Check the arguments, and read the URL.

        Raises:
            TypeError: an argument is of another type.
            ValueError: the URL or a header is malformed, or `ssl_context` is given for a URL
                without TLS.
        """
        given = cast("object", url)
        if not isinstance(given, str):  # it may hold a secret, which `check_text` would show
            raise TypeError(f'url takes a str, not {kind_of(given)}; write "ws://127.0.0.1:8765"')
        check_text("url", url)
        check_limits("limits=", limits)
        if headers is not None:
            check_headers(headers)
        if ssl_context is not None:
            check_tls("ssl_context=", ssl_context, in_server=False)
        target = WebSocketUrl.parse(url)
        if target.is_secure:
            # Made once: it reads all certificates of the system.
            ssl_context = ssl_context or ssl.create_default_context()
        elif ssl_context is not None:
            raise ValueError(f"{target.shown} has no TLS, which ssl_context is for; use wss://")
        return cls(target, headers or {}, limits, ssl_context)

    async def dial(self) -> Transport:
        """Connect.

        Raises:
            ConnectFailed: no server answers, or it is no WebSocket server, or refuses.

        Cancellation:
            Nothing is left open.
        """
        seconds = self.limits.handshake_seconds
        shown = self.url.shown
        try:
            async with _in_line(self.url.socket_path or f"{self.url.address}:{self.url.port}"):
                with trio.fail_after(seconds):
                    transport = await self._dial()
            logger.debug("connected to %s", shown)
            return transport
        except trio.TooSlowError:
            problem = f"{shown}: no connection in {seconds:g} s (the limit handshake_seconds)"
            raise ConnectFailed(problem) from None
        except OSError as error:
            raise ConnectFailed(f"{shown}: {_reason(error)}") from error
        except UnicodeError as error:  # its text would repeat the name
            raise ConnectFailed(f"{shown}: this is not the name of a host") from error
        except ConnectFailed as error:
            problem = f"{shown}: {error}"
            raise ConnectFailed(problem, status=error.status) from error.__cause__

    async def _dial(self) -> Transport:
        # One name is looked up, sent as Host, and checked in the certificate. Python's own codec
        # follows the rules of 2003, which browsers no longer do: see "straße".
        host = self.url.host
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
        url = replace(self.url, host=host)
        if not url.socket_path:
            stream = await trio.open_tcp_stream(url.address, url.port)
        elif hasattr(socket, "AF_UNIX"):
            stream = await trio.open_unix_socket(url.socket_path)
        else:
            raise ConnectFailed("this system has no Unix sockets; connect to a port")
        return await connect_websocket(
            stream,
            url.authority,
            url.target,
            headers=self.headers,
            limits=self.limits,
            ssl_context=self.ssl_context,
            server_name=url.name,
        )


_lines: RunVar[dict[str, trio.CapacityLimiter]] = RunVar("farcall dials")


def _current_lines() -> dict[str, trio.CapacityLimiter]:
    try:
        return _lines.get()
    except LookupError:
        _lines.set({})
        return _lines.get()


@asynccontextmanager
async def _in_line(server: str) -> AsyncIterator[None]:
    """Wait until fewer than `MOST_DIALS` connections to a server are being opened."""
    lines = _current_lines()
    line = lines.setdefault(server, trio.CapacityLimiter(MOST_DIALS))
    holder = object()
    try:
        line.acquire_on_behalf_of_nowait(holder)
    except trio.WouldBlock:
        await line.acquire_on_behalf_of(holder)
    try:
        yield
    finally:
        line.release_on_behalf_of(holder)
        if not line.borrowed_tokens:
            del lines[server]


_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""The name of a header field (RFC 9110, section 5.6.2)."""

_OWN_HEADERS: Final = frozenset(
    {
        "host",
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "expect",
        "trailer",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-accept",
        "sec-websocket-extensions",
    }
)
"""Header fields that the handshake writes itself, or must not have."""


def check_headers(headers: object) -> None:
    """Check the headers for a handshake; errors do not show values, which may be secrets."""
    check_text_mapping("headers=", headers, 'headers={"Authorization": "Bearer ..."}')
    for name, value in cast("Mapping[str, str]", headers).items():
        if not _TOKEN.fullmatch(name):
            raise wrong_value("each key of headers=", "the name of a header", name, '"X-Name"')
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"headers= has {name!r}, which belongs to the handshake; leave it out")
        if not _is_field_value(value):
            raise ValueError(
                f"headers[{name!r}] has a control character, a space at an end, or a character"
                " beyond Latin-1, which no header may have"
            )


def _is_field_value(value: str) -> bool:
    """Whether a header may have this value (RFC 9110, section 5.5)."""
    is_clean = all(char == "\t" or (" " <= char <= "\xff" and char != "\x7f") for char in value)
    return is_clean and value == value.strip(" \t")


def _reason(error: BaseException) -> str:
    """Return why no server answers; Trio has a cause for each address that it has tried."""
    cause = error.__cause__
    if is_group(cause):
        return "; ".join(dict.fromkeys(map(str, cause.exceptions)))
    return str(cause or error)
