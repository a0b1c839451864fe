"""trio-websocket's connection, adapted: it judges and sends the frames that are not usual.

Kept: the reader, and the answer to the peer's Close. Changed, each because of what a peer can do or
what it costs:

- The reader itself calls its owner. trio-websocket uses a channel, which costs a task switch for
  each message; while it is full, neither pings nor a Close are answered.
- When wsproto finds a fault, it gives a Close event while the connection is still open. That is the
  Close frame that *this side* should send; trio-websocket takes it for the peer's and sends none.
- trio-websocket takes a KeyError in a handler for an unknown event; our handlers let no exception
  out.

The handshake is over when one is made. Nothing has to run before `read`: trio-websocket's own
handshake needs the reader, and waits for ever if the peer hangs up during it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import trio
from trio_websocket import WebSocketConnection
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from farcall._transport.transport import CloseReason
from farcall._transport.websocket.socket import RECEIVE_BYTES
from farcall._transport.websocket.tls import ByteStream

ReadBytes: TypeAlias = Callable[[int | None], Awaitable[bytes]]


class Owner(Protocol):
    """The connection that an engine reads and writes for."""

    async def on_piece(self, event: BytesMessage | TextMessage) -> None:
        """Take a piece of a message."""

    async def on_ping(self, payload: bytes) -> None:
        """Take a ping."""

    async def on_pong(self, payload: bytes) -> None:
        """Take a pong."""

    async def on_close(self, closing: CloseReason) -> None:
        """Take the peer's Close frame."""

    async def fail(self, code: int, reason: str) -> None:
        """Send a Close frame because of a fault of the peer."""

    async def send_bytes(self, data: bytes, *, shield: bool) -> None:
        """Send a frame."""


class Engine(WebSocketConnection):
    """The engine of one connection.

    Args:
        stream: Closed when a server has answered the Close frame of its client.
        receive: Returns the bytes that are for the engine.
        owner: The connection.
        is_client: Which end this is.
    """

    def __init__(
        self, stream: ByteStream, receive: ReadBytes, owner: Owner, *, is_client: bool
    ) -> None:
        kind = ConnectionType.CLIENT if is_client else ConnectionType.SERVER
        protocol = WSConnection(kind)
        protocol.connection = Connection(kind)
        tapped = trio.StapledStream(stream, _Tap(receive))
        super().__init__(tapped, protocol, host="", path="", receive_buffer_size=RECEIVE_BYTES)
        self._initial_request = None  # the handshake is over
        self._protocol = protocol.connection
        self._owner = owner

    @property
    def is_open(self) -> bool:
        """Whether neither side has sent a Close frame."""
        return self._protocol.state is ConnectionState.OPEN

    @property
    def is_idle(self) -> bool:
        """Whether wsproto has read all that it got, and is between two messages."""
        decoder = self._protocol._proto._frame_decoder
        is_between_frames = decoder.header is None and not len(decoder.buffer)
        return is_between_frames and self._protocol._proto._message_decoder.opcode is None

    async def read(self) -> None:
        """Read until the connection ends."""
        await self._reader_task()

    async def send_close(self, closing: CloseReason) -> None:
        """Send a Close frame."""
        await self._send(CloseConnection(closing.code, closing.reason))

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        await self._owner.on_piece(event)

    async def _handle_ping_event(self, event: Ping) -> None:
        await self._owner.on_ping(bytes(event.payload))

    async def _handle_pong_event(self, event: Pong) -> None:
        await self._owner.on_pong(bytes(event.payload))

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        reason = event.reason or ""
        if self.is_open:  # so it is not the peer's, after which the state is another
            await self._owner.fail(int(event.code), reason)
        else:
            await self._owner.on_close(CloseReason(int(event.code), reason))
            await super()._handle_close_connection_event(event)

    async def _send(self, event: Event) -> None:
        # A Close frame may be torn, for nothing follows it, and its time is short.
        is_close = isinstance(event, CloseConnection)
        await self._owner.send_bytes(self._protocol.send(event), shield=not is_close)


class _Tap(trio.abc.ReceiveStream):
    """The stream that trio-websocket's reader reads from."""

    def __init__(self, receive: ReadBytes) -> None:
        self._receive = receive

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._receive(max_bytes)

    async def aclose(self) -> None:
        """Do nothing: closing the sending stream closes the socket, which is the same."""
        await trio.lowlevel.checkpoint()
