"""TLS below a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

import farcall
from farcall._limits import MIB, Limits
from farcall._transport.http import Rejection, read_request
from farcall._transport.transport import Endpoint, Transport
from farcall._transport.websocket import (
    GuardedSocket,
    Upgrade,
    WebSocketTransport,
    accept_tls,
    connect_websocket,
    socket_below,
    tls,
)
from farcall.errors import ConnectFailed
from tests.unit.transport.suite import Check, Recorder, check_transport, send
from tests.unit.transport.websocket.certificates import client_context, server_context
from tests.unit.transport.websocket.sockets import SMALL, Raw, open_sockets


@asynccontextmanager
async def open_secure_pair(
    *, limits: Limits | None = None
) -> AsyncIterator[tuple[Transport, Transport]]:
    """Open a WebSocket over TLS between two transports."""
    each = limits or Limits(message=MIB)
    async with open_sockets() as (near, far):
        accepted: list[WebSocketTransport] = []

        async def accept() -> None:
            secure = await accept_tls(GuardedSocket(far, each), server_context())
            request = await read_request(secure, Limits())
            endpoint = Endpoint(secure.transport_stream.local, secure.transport_stream.peer)
            accepted.append(await Upgrade.of(request).accept(secure, endpoint))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            client = await connect_websocket(
                near,
                "localhost",
                limits=each,
                ssl_context=client_context(),
                server_name="127.0.0.1",
            )
        yield client, accepted[0]


@check_transport
async def test_is_a_transport(check: Check) -> None:
    """A WebSocket over TLS passes the suite of every transport."""
    await check(open_secure_pair)


async def test_stalls_are_seen_below_tls() -> None:
    """A stalled peer is cut off, and received bytes are noted, as without TLS."""
    async with open_secure_pair(limits=Limits(stall_seconds=0.05)) as (client, server):
        assert server.received_at <= trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match="no byte was taken"):
            await send(server, [b"x" * 16_000_000])

        assert "no byte was taken" in (await server.run(Recorder())).reason
        client.abort()


async def test_the_socket_below() -> None:
    """The socket is at hand, with TLS and without."""
    async with open_sockets() as (near, far), trio.open_nursery() as nursery:
        sock = GuardedSocket(near, SMALL)
        nursery.start_soon(tls.dial_tls, GuardedSocket(far, SMALL), client_context(), "127.0.0.1")

        assert socket_below(sock) is sock
        assert socket_below(await accept_tls(sock, server_context())) is sock


async def test_plain_http_at_a_tls_port() -> None:
    """A peer that speaks HTTP gets a response in HTTP."""
    async with open_sockets() as (near, far):
        await far.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(Rejection, match="400, this port speaks TLS"):
            await accept_tls(GuardedSocket(near, SMALL), server_context())


@pytest.mark.parametrize("said", [b"nonsense, and more of it", b"\x16\x03\x01", b""])
async def test_no_tls_at_a_tls_port(said: bytes) -> None:
    """Any other bytes end the handshake."""
    async with open_sockets() as (near, far):
        if said:
            await far.send_all(said)
        await far.send_eof()
        with pytest.raises(trio.BrokenResourceError):
            await accept_tls(GuardedSocket(near, SMALL), server_context())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks no TLS .* a plain port, ws://"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "the TLS handshake failed: .*HANDSHAKE_FAILURE"),
        (b"", "hung up during the TLS handshake"),
    ],
)
async def test_a_server_without_tls(said: bytes, words: str) -> None:
    """A client says what it met, and what to try."""
    async with open_sockets() as (near, far):
        raw = Raw(far)
        if said:
            await raw.send(said)
        await far.send_eof()
        with pytest.raises(ConnectFailed, match=words):
            await tls.dial_tls(GuardedSocket(near, SMALL), client_context(), "localhost")


async def test_a_server_that_resets() -> None:
    """A reset in the handshake is a lost link, which the caller explains."""
    async with open_sockets() as (near, far):
        async with trio.open_nursery() as nursery:

            async def reset() -> None:
                await far.receive_some(1)  # what is left makes the close a reset
                await far.aclose()

            nursery.start_soon(reset)
            with pytest.raises((trio.BrokenResourceError, ConnectFailed)):
                await tls.dial_tls(GuardedSocket(near, SMALL), client_context(), "localhost")


@farcall.service
class Echo:
    async def say(self, text: str) -> str:
        return text

    async def ping(self) -> None:
        await farcall.current_call().connection.ping()


async def test_calls_over_tls_under_load() -> None:
    """Many calls at once, small and large, get their results; pings of both ends are answered."""
    async with trio.open_nursery() as nursery:
        serve = partial(farcall.serve, Echo(), 0, ssl_context=server_context())
        server: farcall.Server = await nursery.start(serve)
        async with farcall.connect(server.url, ssl_context=client_context()) as session:
            connection = session.connection
            assert connection is not None

            async def call_often(number: int) -> None:
                for size in (1, 3_000, 20_000, 100):
                    text = f"{number}:" + "x" * size
                    assert await session.call("Echo.say", text) == text

            with trio.fail_after(60):
                async with trio.open_nursery() as calls:
                    for number in range(100):
                        calls.start_soon(call_often, number)
                    calls.start_soon(connection.ping)
                    calls.start_soon(session.call, "Echo.ping")
        server.shutdown()
