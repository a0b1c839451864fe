"""Real sockets on the loopback interface, and peers that send bytes."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1

import trio

from farcall._limits import MIB, Limits
from farcall._transport.http import read_request
from farcall._transport.transport import Endpoint, Transport
from farcall._transport.websocket import (
    GuardedSocket,
    Upgrade,
    WebSocketTransport,
    connect_websocket,
)

REQUEST = (
    b"GET /chat?token=1 HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"Connection: Upgrade\r\n"
    b"Upgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"\r\n"
)

SMALL = Limits(message=1000)

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """Write a frame (RFC 6455, section 5.2); a mask of zeros leaves the payload as it is."""
    mask_bit = 0x80 if masked else 0
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 2**16:
        head += struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", mask_bit | 127, len(payload))
    return head + (bytes(4) if masked else b"") + payload


def close_frame(code: int, reason: str = "", *, masked: bool = True) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode(), masked=masked)


async def accept(stream: trio.SocketStream, limits: Limits = SMALL) -> WebSocketTransport:
    """Accept a WebSocket."""
    sock = GuardedSocket(stream, limits)
    request = await read_request(sock, Limits())
    endpoint = Endpoint(sock.local, sock.peer, request.path, request.query, request.headers)
    return await Upgrade.of(request).accept(sock, endpoint)


@asynccontextmanager
async def open_sockets() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Connect two sockets; the first has dialled."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        dialling = await trio.open_tcp_stream(*listener.socket.getsockname())
        accepting = await listener.accept()
    async with dialling, accepting:
        yield dialling, accepting


@asynccontextmanager
async def open_pair(
    *, limits: Limits | None = None, target: str = "/"
) -> AsyncIterator[tuple[Transport, Transport]]:
    """Open a WebSocket between two transports."""
    each = limits or Limits(message=MIB)
    async with open_sockets() as (near, far):
        accepted: list[WebSocketTransport] = []

        async def accept_one() -> None:
            accepted.append(await accept(far, each))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept_one)
            client = await connect_websocket(near, "localhost", target, limits=each)
        (server,) = accepted
        yield client, server


class Raw:
    """A peer that sends any bytes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._read = b""

    async def send(self, *frames: bytes) -> None:
        await self.stream.send_all(b"".join(frames))

    async def read(self, size: int) -> bytes:
        while len(self._read) < size:
            data = await self.stream.receive_some()
            assert data, f"the other side hung up after {self._read!r}"
            self._read += data
        data, self._read = self._read[:size], self._read[size:]
        return data

    async def read_head(self) -> bytes:
        """Read an HTTP request or answer up to its blank line."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.read(1)
        return head

    async def expect(self, *frames: bytes) -> None:
        for expected in frames:
            assert await self.read(len(expected)) == expected

    async def read_to_end(self) -> bytes:
        data, self._read = self._read, b""
        async for chunk in self.stream:
            data += chunk
        return data

    async def hang_up(self) -> None:
        await self.stream.aclose()


@asynccontextmanager
async def open_raw_client(
    limits: Limits = SMALL, *, early: Sequence[bytes] = ()
) -> AsyncIterator[tuple[Raw, WebSocketTransport]]:
    """Open a WebSocket between a client of bytes and a transport of a server."""
    async with open_sockets() as (near, far):
        raw = Raw(near)
        await raw.send(REQUEST)
        server = await accept(far, limits)
        await raw.read_head()
        await raw.send(*early)
        yield raw, server


@asynccontextmanager
async def open_raw_server(
    limits: Limits = SMALL, *, early: Sequence[bytes] = ()
) -> AsyncIterator[tuple[Raw, WebSocketTransport]]:
    """Open a WebSocket between a server of bytes and a transport of a client."""
    async with open_sockets() as (near, far):
        raw = Raw(far)

        async def answer() -> None:
            await raw.send(welcome(await raw.read_head()), *early)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            client = await connect_websocket(near, "localhost", limits=limits)
        yield raw, client


def welcome(request: bytes, extra: bytes = b"") -> bytes:
    """Write the answer to a handshake (RFC 6455, section 4.2.2)."""
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    token = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Connection: Upgrade\r\n"
        b"Upgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + token + b"\r\n" + extra + b"\r\n"
    )
