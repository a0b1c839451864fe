"""The WebSocket handshake, from either side, on a connection that is open already.

wsproto is driven directly here, not by trio-websocket's reader. So what it raises for bytes of a
peer (`UnicodeError`, its own errors and h11's) is caught in one place, a peer that hangs up is
seen, and no task has to run. The caller sets the time limit with a cancel scope.

Extensions are neither offered nor accepted, so nothing is ever compressed: a kilobyte of deflate
may hold a megabyte, and texts that are compressed together leak each other.
"""

from __future__ import annotations

import re
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import h11
import trio
from msgspec import Struct
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, RejectConnection, RejectData
from wsproto.events import Request as UpgradeRequest
from wsproto.utilities import ProtocolError, RemoteProtocolError

from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._nursery import open_owned_nursery
from farcall._transport.http import Rejection, Request
from farcall._transport.http.request import ambiguity, readable
from farcall._transport.transport import Endpoint
from farcall._transport.websocket.connection import GuardedConnection
from farcall._transport.websocket.socket import LOST, GuardedSocket
from farcall._transport.websocket.tls import MAY_ASK, ByteStream, dial_tls, socket_below
from farcall._transport.websocket.transport import WebSocketTransport
from farcall.errors import ConnectFailed

_WRONG_BYTES: Final = (ProtocolError, h11.ProtocolError, UnicodeError)
"""What wsproto raises for a malformed handshake; the last for what is not ASCII, or not IDNA."""

_ONCE: Final = (b"sec-websocket-key", b"sec-websocket-version")
"""Headers that must not be repeated (RFC 6455, section 11.3); wsproto would take the last one."""
_KEY_BYTES: Final = 16

_TOO_EARLY: Final = "a client must wait for the response to its handshake before it sends more"

_STEPS_TO_LOOK: Final = 3
"""Turns of the event loop in which a receive gets what is here: one to start it, one for the lock
of Trio's SSLStream, and one because the tasks of a turn run in any order. After that it waits, and
can be cancelled without losing a byte."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
"""The end of the head of a response, as h11 sees it."""

_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer"})
"""Headers that announce a body. Neither a request for a WebSocket nor a 101 has one: a proxy would
take for the body what we take for frames."""

EXPLANATION_SECONDS: Final = 1.0
"""How long a refused client waits for the text after the status, which is optional."""
EXPLANATION_BYTES: Final = 200
"""How much of it is shown: our own reasons are one line."""


class Upgrade(Struct, frozen=True):
    """A valid request for a WebSocket."""

    _protocol: WSConnection

    @classmethod
    def of(cls, request: Request) -> Upgrade:
        """Check a request.

        Raises:
            Rejection: it does not ask for a WebSocket of version 13 over HTTP/1.1, or something
                follows it that could be taken for frames.
        """
        if request.method != "GET" or request.version != "1.1":
            raise Rejection(400, "a request for a WebSocket must be a GET in HTTP/1.1")
        if any(name in _BODY for name, _ in request.fields):
            raise Rejection(400, "a request for a WebSocket has no body")
        if request.early:
            raise Rejection(400, _TOO_EARLY)
        _check_key(request.fields)
        protocol = WSConnection(ConnectionType.SERVER)
        try:
            protocol.initiate_upgrade_connection(list(request.fields), request.target)
            next(protocol.events())
        except RemoteProtocolError as exc:
            raise _explain(exc) from None
        except _WRONG_BYTES:
            raise Rejection(400, "a header has a character that it must not have") from None
        return cls(protocol)

    def answer(self) -> bytes:
        """Return the response 101 (RFC 6455, section 4.2.2), once: it begins the WebSocket."""
        return self._protocol.send(AcceptConnection())

    async def accept(self, stream: ByteStream, endpoint: Endpoint) -> WebSocketTransport:
        """Accept the request.

        Raises:
            Rejection: the peer did not wait for the response.
            trio.BrokenResourceError: the peer has hung up.

        Cancellation:
            Half of the response may have been sent, so hang up.
        """
        await _check_waiting(stream)
        await stream.send_all(self.answer())
        connection = GuardedConnection(stream, is_client=False)
        return WebSocketTransport(endpoint, socket_below(stream), connection)


async def _check_waiting(stream: trio.abc.ReceiveStream) -> None:
    """Refuse a peer whose next bytes are here before our response (RFC 6455, section 4.1).

    Bytes that are still on their way look as if they were sent after the response.
    """
    if isinstance(stream, GuardedSocket) and stream.can_peek:
        came = stream.peek()
    else:
        came = await _received_now(stream)
    if came == b"":
        raise trio.BrokenResourceError("the peer hung up before the response to its handshake")
    if came is not None:
        raise Rejection(400, _TOO_EARLY)


async def _received_now(stream: trio.abc.ReceiveStream) -> bytes | None:
    """Receive what has come through TLS, if anything has."""
    came: list[bytes | bytearray] = []

    async def look() -> None:
        came.append(await stream.receive_some())

    async with open_owned_nursery() as nursery:
        nursery.start_soon(look)
        for _ in range(_STEPS_TO_LOOK):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    return bytes(came[0]) if came else None


def _check_key(fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Check what wsproto does not (RFC 6455, section 4.2.1)."""
    names = [name for name, _ in fields]
    if any(names.count(name) > 1 for name in _ONCE):
        raise Rejection(400, "a header of WebSocket is repeated")
    try:
        key = b64decode(dict(fields).get(_ONCE[0], b""), validate=True)
    except ValueError:
        key = b""
    if _ONCE[0] in names and len(key) != _KEY_BYTES:
        raise Rejection(400, "Sec-WebSocket-Key is not 16 bytes in base64")


def _explain(error: RemoteProtocolError) -> Rejection:
    """Return the response that wsproto suggests: 400, or 426 with the version that it speaks."""
    hint = error.event_hint
    status, headers = (
        (hint.status_code, hint.headers) if isinstance(hint, RejectConnection) else (400, [])
    )
    return Rejection(status, f"this port speaks WebSocket: {error}", readable(headers))


async def connect_websocket(
    stream: trio.SocketStream,
    host: str,
    target: str = "/",
    *,
    headers: Mapping[str, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    server_name: str = "",
) -> WebSocketTransport:
    """Perform the handshake of a client on a connection that has just been made.

    Args:
        stream: The connection; it is closed unless a transport is returned.
        host: For the Host header, with the port where it is not the scheme's own.
        target: Path and query.
        headers: Sent with the request.
        limits: What the server may cost from now on.
        ssl_context: For TLS; without one there is none.
        server_name: What the server's certificate must be for.

    Raises:
        ConnectFailed: the server is no WebSocket server, or refuses.

    Cancellation:
        Cancelled, it closes the stream.
    """
    async with _aborting_on_error(stream, limits) as sock:
        try:
            if ssl_context is None:
                return await _connect(sock, host, target, headers or {})
            secure = await dial_tls(sock, ssl_context, server_name)
            return await _connect(secure, host, target, headers or {})
        except LOST:
            hint = "" if ssl_context is None else f"; {MAY_ASK}"
            raise ConnectFailed(f"the server hung up during the handshake{hint}") from None
        except _WRONG_BYTES as exc:
            raise ConnectFailed(f"the handshake failed: {exc}") from exc


@asynccontextmanager
async def _aborting_on_error(
    stream: trio.SocketStream, limits: Limits
) -> AsyncIterator[GuardedSocket]:
    sock = GuardedSocket(stream, limits)
    try:
        yield sock
    except BaseException:
        sock.abort()
        raise


async def _connect(
    stream: ByteStream, host: str, target: str, headers: Mapping[str, str]
) -> WebSocketTransport:
    protocol = WSConnection(ConnectionType.CLIENT)
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    request = UpgradeRequest(host=host, target=target, extra_headers=fields)
    await stream.send_all(protocol.send(request))
    answer, early = await _read_answer(stream, protocol)
    path, _, query = target.partition("?")
    sock = socket_below(stream)
    endpoint = Endpoint(sock.local, sock.peer, path, query, readable(answer.extra_headers))
    connection = GuardedConnection(stream, is_client=True, early=early)
    return WebSocketTransport(endpoint, sock, connection)


async def _read_answer(
    stream: ByteStream, protocol: WSConnection
) -> tuple[AcceptConnection, bytes]:
    """Return the response, and the bytes that follow it."""
    head = b""
    while True:
        data = await _receive(stream)
        head += data
        protocol.receive_data(data)
        # One event alone: messages may follow the response, and they are for the reader.
        match next(protocol.events(), None):
            case AcceptConnection() as answer:
                return answer, _check_switch(head, answer)
            case RejectConnection() as refusal:
                raise await _refused(stream, protocol, refusal)
            case _:
                pass  # more of the response is to come; h11 limits how much


def _check_switch(received: bytes, answer: AcceptConnection) -> bytes:
    """Check of a response 101 what wsproto does not; return the bytes that follow it.

    Frames begin where its head ends, so every reader must see the same end.

    Raises:
        ConnectFailed: two readers may understand it differently.
    """
    found = _HEAD_END.search(received)
    assert found is not None  # or h11 would wait for it
    head = received[: found.end()]
    problem = ambiguity(head)
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")]
    if not head.startswith(b"HTTP/1.1 "):
        problem = "it is not HTTP/1.1"
    elif names.count(b"sec-websocket-accept") > 1:
        problem = "Sec-WebSocket-Accept is repeated"
    elif any(name in _BODY for name, _ in answer.extra_headers):
        problem = "it has a body"
    if problem is not None:
        raise ConnectFailed(f"the server's response 101 is invalid: {problem}")
    return received[found.end() :]


async def _receive(stream: ByteStream) -> bytes:
    if data := await stream.receive_some():
        return bytes(data)
    raise trio.BrokenResourceError("the peer hung up during the handshake")


async def _refused(
    stream: ByteStream, protocol: WSConnection, refusal: RejectConnection
) -> ConnectFailed:
    status = refusal.status_code
    problem = f"the server answered with HTTP status {status}"
    is_text = readable(refusal.headers).get("content-type", "").startswith("text/plain")
    text = await _read_text(stream, protocol) if refusal.has_body and is_text else ""
    return ConnectFailed(f"{problem}: {text}" if text else problem, status=status)


async def _read_text(stream: ByteStream, protocol: WSConnection) -> str:
    """Read the first line of the body of a refusal, or as much as comes in time."""
    body = bytearray()
    with trio.move_on_after(EXPLANATION_SECONDS), suppress(*LOST, *_WRONG_BYTES):
        while len(body) < EXPLANATION_BYTES:
            pieces = [event for event in protocol.events() if isinstance(event, RejectData)]
            body += b"".join(piece.data for piece in pieces)
            if protocol.state is ConnectionState.CLOSED:
                break
            protocol.receive_data(await _receive(stream))
    text = bytes(body[:EXPLANATION_BYTES]).decode("utf-8", "replace").partition("\n")[0]
    return "".join(char for char in text if char.isprintable())
