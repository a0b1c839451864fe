"""How a WebSocket is opened, from either side, on a socket that is there already.

wsproto is driven by hand here rather than by trio-websocket's reader: what it raises for bytes
that a peer chose (`UnicodeError`, its own errors and h11's) is caught in one place, a peer that
hangs up is seen, and no task has to run. Whoever calls sets the time limit with a cancel scope.

Extensions are neither offered nor accepted, so nothing is ever compressed: a kilobyte of deflate
may hold a megabyte, and texts compressed together leak each other.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, TypeAlias

import attrs
import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, Request
from wsproto.typing import Headers
from wsproto.utilities import ProtocolError, RemoteProtocolError

from farcall._limits import DEFAULT_LIMITS, MessageLimits
from farcall._transport import Endpoint, logger
from farcall._websocket.connection import GuardedConnection
from farcall._websocket.transport import WebSocketTransport
from farcall._websocket.wire import LOST, Wire
from farcall.errors import ConnectFailed

MAX_HEAD: Final = 16 * 1024
"""Bytes of a request with its headers; what h11 and most servers allow."""

SERVER_MESSAGES: Final = DEFAULT_LIMITS.messages_in_server()
CLIENT_MESSAGES: Final = DEFAULT_LIMITS.messages_in_client()

_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
"""As h11 has it, so that both mean the same byte."""

_WRONG_BYTES: Final = (ProtocolError, h11.ProtocolError, UnicodeError)
"""What wsproto raises for a handshake that is none; the last for what is not ASCII, or IDNA."""


@attrs.frozen
class Rejection:
    """An HTTP answer in place of a WebSocket."""

    status: int
    reason: str
    """One line for who reads it; the body of the answer."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def render(self) -> bytes:
        """Write it as HTTP/1.1; the connection ends with it."""
        body = f"{self.reason}\n".encode()
        fields = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


Admit: TypeAlias = Callable[[Endpoint], Rejection | None]
"""Decides on a request, before the upgrade: None lets it in."""


async def accept_websocket(
    stream: trio.SocketStream,
    *,
    admit: Admit,
    limits: MessageLimits = SERVER_MESSAGES,
) -> WebSocketTransport | None:
    """Perform the handshake of a server on a connection that has just been accepted.

    Args:
        stream: The connection; it is closed unless a transport is returned.
        admit: Called with what the request says of itself.
        limits: Of the messages that follow.

    Returns:
        The open link, or None where it came to nothing: the peer has hung up, or it was sent an
        HTTP answer. Nothing that the peer sends raises.

    Cancellation:
        Cancelled, it closes the stream.
    """
    async with _own(stream) as wire:
        try:
            return await _accept(wire, admit, limits)
        except LOST:
            wire.abort()
            return None


async def connect_websocket(
    stream: trio.SocketStream,
    host: str,
    target: str = "/",
    *,
    headers: Mapping[str, str] | None = None,
    limits: MessageLimits = CLIENT_MESSAGES,
) -> WebSocketTransport:
    """Perform the handshake of a client on a connection that has just been made.

    Args:
        stream: The connection; it is closed unless a transport is returned.
        host: For the Host header, with the port where it is not the scheme's own.
        target: Path and query.
        headers: Sent with the request.
        limits: Of the messages that follow.

    Raises:
        ConnectFailed: the server does not answer as one, or refuses.

    Cancellation:
        Cancelled, it closes the stream.
    """
    async with _own(stream) as wire:
        try:
            return await _connect(wire, host, target, headers or {}, limits)
        except LOST:
            raise ConnectFailed("the server hung up during the handshake") from None
        except _WRONG_BYTES as exc:
            raise ConnectFailed(f"the handshake failed: {exc}") from exc


@asynccontextmanager
async def _own(stream: trio.SocketStream) -> AsyncIterator[Wire]:
    """Give the stream as a wire, which is hung up when the block raises."""
    wire = Wire(stream)
    try:
        yield wire
    except BaseException:
        wire.abort()
        raise


async def _accept(wire: Wire, admit: Admit, limits: MessageLimits) -> WebSocketTransport | None:
    head, early = await _read_head(wire)
    protocol = WSConnection(ConnectionType.SERVER)
    decision = _decide(protocol, head, wire, admit)
    if isinstance(decision, Rejection):
        await _reject(wire, decision)
        return None
    await wire.send_all(protocol.send(AcceptConnection()))
    # A client must wait for our answer. One that does not loses nothing: wsproto would drop this.
    protocol.receive_data(early)
    return WebSocketTransport(decision, wire, GuardedConnection(wire, protocol, limits))


async def _read_head(wire: Wire) -> tuple[bytes, bytes]:
    """Read up to the blank line, or to the limit; give that, and what came behind it."""
    data = bytearray()
    while len(data) <= MAX_HEAD:
        seen = len(data)
        data += await _receive(wire)
        if end := _END_OF_HEAD.search(data, max(0, seen - 2)):
            return bytes(data[: end.end()]), bytes(data[end.end() :])
    return bytes(data), b""


async def _receive(wire: Wire) -> bytes:
    if data := await wire.receive_some():
        return data
    raise trio.BrokenResourceError("the peer hung up during the handshake")


def _decide(protocol: WSConnection, head: bytes, wire: Wire, admit: Admit) -> Endpoint | Rejection:
    """Say what the request gets: a link, or an answer that ends it."""
    if len(head) > MAX_HEAD:
        return Rejection(431, f"a request may have {MAX_HEAD} bytes of headers")
    request = _parse(protocol, head)
    if isinstance(request, Rejection):
        return request
    endpoint = _endpoint(
        wire, request.target, [(b"host", request.host.encode()), *request.extra_headers]
    )
    return _admitted(admit, endpoint) or endpoint


def _parse(protocol: WSConnection, head: bytes) -> Request | Rejection:
    try:
        protocol.receive_data(head)
    except RemoteProtocolError as exc:
        return _explain(exc)
    except _WRONG_BYTES:
        return Rejection(400, "a header holds what it may not")
    match list(protocol.events()):
        case [Request() as request]:
            return request
        case _:
            return Rejection(400, "this is no request")


def _explain(error: RemoteProtocolError) -> Rejection:
    """Answer as wsproto suggests: 400, or 426 with the version that it speaks."""
    hint = error.event_hint
    status, headers = (
        (hint.status_code, hint.headers) if isinstance(hint, RejectConnection) else (400, [])
    )
    return Rejection(status, f"this port speaks WebSocket: {error}", _readable(headers))


def _admitted(admit: Admit, endpoint: Endpoint) -> Rejection | None:
    try:
        return admit(endpoint)
    except Exception:  # noqa: BLE001 - it fails one handshake, not the server
        logger.exception("deciding on a handshake failed")
        return Rejection(500, "internal error")


async def _reject(wire: Wire, rejection: Rejection) -> None:
    logger.debug("refused a handshake: %d, %s", rejection.status, rejection.reason)
    await wire.send_all(rejection.render())
    await wire.finish()


async def _connect(
    wire: Wire, host: str, target: str, headers: Mapping[str, str], limits: MessageLimits
) -> WebSocketTransport:
    protocol = WSConnection(ConnectionType.CLIENT)
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await wire.send_all(protocol.send(Request(host=host, target=target, extra_headers=fields)))
    answer = await _read_answer(wire, protocol)
    endpoint = _endpoint(wire, target, answer.extra_headers)
    return WebSocketTransport(endpoint, wire, GuardedConnection(wire, protocol, limits))


async def _read_answer(wire: Wire, protocol: WSConnection) -> AcceptConnection:
    while True:
        protocol.receive_data(await _receive(wire))
        # One event alone: behind an answer stand messages, which are the reader's.
        match next(protocol.events(), None):
            case AcceptConnection() as answer:
                return answer
            case RejectConnection(status_code=status):
                raise ConnectFailed(f"the server answered with HTTP status {status}")
            case _:
                pass  # more of the answer is to come; h11 limits how much


def _endpoint(wire: Wire, target: str, headers: Headers) -> Endpoint:
    path, _, query = target.partition("?")
    return Endpoint(wire.local, wire.peer, path, query, _readable(headers))


def _readable(headers: Headers) -> Mapping[str, str]:
    """Join what is there several times, as RFC 9110 (section 5.3) allows; cookies in their way."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found
