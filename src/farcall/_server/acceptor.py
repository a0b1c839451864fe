"""Incoming connections: handshake, HTTP response or WebSocket, and the link until its end.

`ConnectionGuard` limits the time and the number of handshakes. The request of a handshake is read,
checked, and either answered or upgraded to a WebSocket, which the `Host` serves. An error ends only
the connection of its peer.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import trio
from msgspec import Struct, field
from msgspec.structs import replace

from farcall._limits import Limits
from farcall._nursery import let_leave
from farcall._principal import Principal
from farcall._server.guard import ConnectionGuard, descriptor_limit
from farcall._server.host import Host
from farcall._server.options import ServerOptions
from farcall._serving.login import identify
from farcall._transport.http import (
    NotAllowed,
    OriginPolicy,
    Rejection,
    Request,
    Response,
    TrustedProxies,
    read_request,
)
from farcall._transport.http.origin import IpAddress
from farcall._transport.transport import Endpoint
from farcall._transport.websocket import (
    LOST,
    ByteStream,
    GuardedSocket,
    Upgrade,
    WebSocketTransport,
    accept_tls,
    socket_below,
)

logger = logging.getLogger("farcall")

READABLE_METHODS: Final = ("GET", "HEAD")

Admit: TypeAlias = Callable[[Endpoint], Awaitable[Principal | None]]
"""Returns the principal of a peer, or None, before the upgrade; raises `Rejection` to refuse it."""

MAX_HINTS: Final = 100
"""Lines about refused origins and host names, of which a peer can make up any number."""


class Hints(Struct):
    """Logs each origin, or host name, that was refused and could be allowed, once.

    The operator needs the log, because a browser shows its page no HTTP response.
    """

    _logged: set[str] = field(default_factory=set[str])

    def log(self, refusal: NotAllowed) -> None:
        """Log a warning, unless the log has it, or too many others."""
        if len(self._logged) < MAX_HINTS and refusal.hint not in self._logged:
            self._logged.add(refusal.hint)
            logger.warning("refused with HTTP 403: %s", refusal.hint)
            if len(self._logged) == MAX_HINTS:
                logger.warning("%d of these were logged; there will be no more", MAX_HINTS)


class Acceptor(Struct, frozen=True):
    """Handles the connections of one server."""

    host: Host
    limits: Limits
    guard: ConnectionGuard
    admit: Admit
    origins: OriginPolicy = field(default_factory=OriginPolicy.of)
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    ssl_context: ssl.SSLContext | None = None
    hints: Hints = field(default_factory=Hints)

    @classmethod
    def of(cls, host: Host, options: ServerOptions) -> Acceptor:
        """Make it by the options of `farcall.serve`.

        Raises:
            ValueError: one of the origins, host names or proxies is malformed.
        """
        return cls(
            host,
            options.limits,
            ConnectionGuard.of(options.limits, descriptor_limit()),
            admit=partial(identify, host.logins),
            origins=OriginPolicy.of(options.allowed_origins, options.allowed_hosts),
            proxies=TrustedProxies.of(options.trusted_proxies),
            ssl_context=options.ssl_context,
        )

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end; log any error."""
        sock = GuardedSocket(stream, self.limits)
        try:
            transport = await self._open(sock)
            if transport is not None:
                try:
                    await self.host.serve_link(transport)
                finally:
                    self.guard.leave()
        except BaseException as exc:
            let_leave(exc)
            logger.exception("a connection failed")
        finally:
            sock.abort()

    async def _open(self, sock: GuardedSocket) -> WebSocketTransport | None:
        """Perform the handshake; return None if it ended without a WebSocket."""
        with self.guard.handshake(self.limits.handshake_seconds):
            try:
                return await self._receive(sock)
            except LOST as exc:
                reason = exc.__cause__ or exc
                logger.debug("%s: lost in its handshake: %s", sock.peer, reason)
        return None

    async def _receive(self, sock: GuardedSocket) -> WebSocketTransport | None:
        stream: ByteStream = sock
        method = "GET"
        try:
            if self.ssl_context is not None and not sock.is_unix:
                stream = await accept_tls(sock, self.ssl_context)
            request = await read_request(stream, self.limits)
            method = request.method
            self.origins.check(request.headers, _local_ip(sock), is_secure=stream is not sock)
            if request.wants_websocket:
                return await self._upgrade(request, stream)
            response = await self.answer(request)
        except Rejection as rejection:
            logger.debug("%s: refused a request: %s", sock.peer, rejection)
            if isinstance(rejection, NotAllowed):
                self.hints.log(rejection)
            response = rejection.response
        except LOST:
            raise
        except BaseException as exc:
            let_leave(exc)
            logger.exception("answering a request failed")
            response = Response(500, b"internal error\n")
        await stream.send_all(response.render(method))
        await sock.finish()
        return None

    async def answer(self, request: Request) -> Response:
        """Answer a request that is no upgrade.

        Raises:
            Rejection: always, for now: nothing is served over HTTP itself.
        """
        if request.method not in READABLE_METHODS:
            raise Rejection(
                405, "this port speaks WebSocket", {"Allow": ", ".join(READABLE_METHODS)}
            )
        self._check_path(request)
        # RFC 9110, section 15.5.22: Upgrade must say what is spoken, and Connection name it.
        headers = {"Upgrade": "websocket", "Connection": "close, upgrade"}
        raise Rejection(426, "this port speaks WebSocket: connect with ws:// or wss://", headers)

    async def _upgrade(self, request: Request, stream: ByteStream) -> WebSocketTransport:
        self._check_path(request)
        upgrade = Upgrade.of(request)
        endpoint = self._endpoint(request, socket_below(stream))
        self.guard.check()  # before `admit`, which may cost much
        endpoint = replace(endpoint, principal=await self.admit(endpoint))
        self.guard.enter()
        try:
            return await upgrade.accept(stream, endpoint)
        except BaseException:
            self.guard.leave()
            raise

    def _check_path(self, request: Request) -> None:
        if request.path not in self.host.paths:
            raise Rejection(404, "nothing is served at this path")

    def _endpoint(self, request: Request, sock: GuardedSocket) -> Endpoint:
        headers = request.headers
        client = self._client_of(sock, headers.get("x-forwarded-for", ""))
        return Endpoint(sock.local, client or sock.peer, request.path, request.query, headers)

    def _client_of(self, sock: GuardedSocket, forwarded: str) -> str | None:
        if sock.peer_ip is None and not sock.is_unix:
            return None  # the peer has gone
        return self.proxies.client_of(sock.peer_ip, forwarded)


def _local_ip(sock: GuardedSocket) -> IpAddress | None:
    """Return the address of this side; None only for a Unix socket."""
    if sock.local_ip is None and not sock.is_unix:
        raise trio.BrokenResourceError("the connection has no address any more")
    return sock.local_ip
