"""How a client comes to a transport: name, connection, TLS and handshake, in one time."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import cast

import attrs
import trio

from farcall._limits import Limits
from farcall._transport import Transport
from farcall._url import WebSocketUrl
from farcall._websocket import connect_websocket
from farcall.errors import ConnectFailed


@attrs.frozen
class Dialler:
    """Connect to one server, as often as it is asked to; `Dialler.of` makes it from a URL."""

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
        """Check what is asked for.

        Raises:
            ValueError: the URL is none, or it has no use for `ssl_context`.
        """
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
            ConnectFailed: nobody answers there, or not as a server of this kind.

        Cancellation:
            Nothing is left open.
        """
        seconds = self.limits.handshake_seconds
        shown = self.url.shown
        try:
            with trio.fail_after(seconds):
                return await self._dial()
        except trio.TooSlowError:
            problem = f"{shown}: no connection in {seconds:g} s (the limit handshake_seconds)"
            raise ConnectFailed(problem) from None
        except OSError as error:
            raise ConnectFailed(f"{shown}: {_reason(error)}") from error
        except ConnectFailed as error:
            problem = f"{shown}: {error}"
            raise ConnectFailed(problem, status=error.status) from error.__cause__

    async def _dial(self) -> Transport:
        return await connect_websocket(
            await self._open_stream(),
            self.url.authority,
            self.url.target,
            headers=self.headers,
            limits=self.limits._of_transport_in_client(),
            ssl_context=self.ssl_context,
            server_name=self.url.name,
        )

    async def _open_stream(self) -> trio.SocketStream:
        if self.url.socket_path:
            return await trio.open_unix_socket(self.url.socket_path)
        return await trio.open_tcp_stream(self.url.name, self.url.port)


def _reason(error: BaseException) -> str:
    """Say why nothing answers; Trio lists each address that it has tried behind its own words."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        attempts = cast("BaseExceptionGroup[BaseException]", cause).exceptions
        return "; ".join(dict.fromkeys(map(str, attempts)))
    return str(cause or error)
