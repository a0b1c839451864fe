"""What happens to a connection that comes in, up to its end.

A handshake has its time and its place (`ConnectionGuard`); within them its request is read, looked
at, and either answered or made a WebSocket, which the `Host` then serves. Whatever a peer does ends
its own connection alone.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from farcall._limits import Limits
from farcall._nursery import let_leave
from farcall._principal import Principal
from farcall._server.guard import ConnectionGuard, descriptor_limit
from farcall._server.host import Host
from farcall._server.options import ServerOptions
from farcall._serving.login import identify
from farcall._transport.http import (
    Answer,
    NotAllowed,
    OriginPolicy,
    Rejection,
    Request,
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
"""Tells who asks for a connection, before the upgrade and inside of its time: `Rejection` refuses,
None lets in whoever it is."""


async def admit_everybody(_endpoint: Endpoint) -> None:
    """Let in whoever asks."""


MOST_HINTS: Final = 100
"""Lines about pages and host names that were refused; whoever makes up more gets no more."""


@attrs.define
class Hints:
    """Tell the operator once of each page, or host name, that was refused and could be allowed.

    The page itself learns nothing that would help: browsers show it no HTTP answer.
    """

    _given: set[str] = attrs.field(factory=set[str])

    def give(self, refusal: NotAllowed) -> None:
        """Log a warning, unless it was logged before, or too many were."""
        if len(self._given) < MOST_HINTS and refusal.hint not in self._given:
            self._given.add(refusal.hint)
            logger.warning("refused with HTTP 403: %s", refusal.hint)
            if len(self._given) == MOST_HINTS:
                logger.warning("no more of these are logged; %d were", MOST_HINTS)


@attrs.frozen
class Acceptor:
    """Where connections come in."""

    host: Host
    limits: Limits
    capacity: ConnectionGuard
    gate: OriginPolicy = attrs.field(factory=OriginPolicy.of)
    proxies: TrustedProxies = attrs.field(factory=TrustedProxies)
    admit: Admit = admit_everybody
    ssl_context: ssl.SSLContext | None = None
    hints: Hints = attrs.field(factory=Hints)

    @classmethod
    def of(cls, host: Host, options: ServerOptions) -> Acceptor:
        """Make the one that these options of `farcall.serve` ask for.

        Raises:
            ValueError: one of the origins, host names or proxies is none.
        """
        return cls(
            host,
            options.limits,
            ConnectionGuard.of(options.limits, descriptor_limit()),
            gate=OriginPolicy.of(options.allowed_origins, options.allowed_hosts),
            proxies=TrustedProxies.of(options.trusted_proxies),
            admit=partial(identify, host.logins),
            ssl_context=options.ssl_context,
        )

    async def enter(self, stream: trio.SocketStream) -> None:
        """Serve one connection; nothing that it brings harms another one, or the server."""
        sock = GuardedSocket(stream, self.limits)
        try:
            transport = await self._open(sock)
            if transport is not None:
                await self._serve(transport)
        except BaseException as exc:
            let_leave(exc)
            logger.exception("a connection failed")
        finally:
            sock.abort()

    async def _serve(self, transport: WebSocketTransport) -> None:
        try:
            await self.host.serve_link(transport)
        finally:
            self.capacity.leave()

    async def _open(self, sock: GuardedSocket) -> WebSocketTransport | None:
        """Perform the handshake; give None where it came to an answer, or to nothing."""
        with self.capacity.handshake(self.limits.handshake_seconds):
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
            self.gate.check(request.headers, _local_ip(sock), is_secure=stream is not sock)
            if request.wants_websocket:
                return await self._upgrade(request, stream)
            answer = await self.answer(request)
        except Rejection as rejection:
            logger.debug("%s: refused a request: %s", sock.peer, rejection)
            if isinstance(rejection, NotAllowed):
                self.hints.give(rejection)
            answer = rejection.answer
        except LOST:
            raise
        except BaseException as exc:
            let_leave(exc)
            logger.exception("answering a request failed")
            answer = Answer(500, b"internal error\n")
        await stream.send_all(answer.render(method))
        await sock.finish()
        return None

    async def answer(self, request: Request) -> Answer:
        """Answer a plain request: what HTTP shows of the services has its place here.

        Raises:
            Rejection: in the place of an answer.
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
        self.capacity.check()  # before `admit`, which may cost much
        endpoint = attrs.evolve(endpoint, principal=await self.admit(endpoint))
        self.capacity.enter()
        try:
            return await upgrade.accept(stream, endpoint)
        except BaseException:
            self.capacity.leave()
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
            return None  # it has gone already
        return self.proxies.client_of(sock.peer_ip, forwarded)


def _local_ip(sock: GuardedSocket) -> IpAddress | None:
    """Give the address of this side; None is that of a Unix socket, and of nothing else."""
    if sock.local_ip is None and not sock.is_unix:
        raise trio.BrokenResourceError("the connection has no address any more")
    return sock.local_ip
