"""trio-websocket's connection, adapted: it delivers messages in its reader, and enforces limits.

Kept: the reader, and the answer to the peer's Close. Changed, each because of what a peer can do or
what it costs:

- The reader itself calls the receiver. trio-websocket uses a channel, which costs a task switch for
  each message; while it is full, neither pings nor a Close are answered.
- Messages in one frame, nearly all that comes, are taken before they reach wsproto (`frames`).
- Sizes are counted in bytes, fragments are counted, and an incomplete message has a time limit.
- Pings are counted: each costs an answer, and a peer may send nothing else.
- When wsproto finds a fault, it gives a Close event while the connection is still open. That is the
  Close frame that *this side* should send; trio-websocket takes it for the peer's and sends none.
- After our own Close frame nothing is delivered, and no ping is answered (wsproto would raise
  LocalProtocolError out of the reader).
- trio-websocket takes a KeyError in a handler for an unknown event; our handlers let no exception
  out.
- Many small messages that came at once are handled in several turns of the event loop, also those
  that are dropped.
- What the socket accepts at once is sent without a task switch, and all bytes leave in order
  (`sending`). The rest is sent under a shield: cancelled in the middle of a frame, the link would
  be torn.

The handshake is over when one is made (see `handshake`), so nothing has to run before `read`:
trio-websocket's own handshake needs the reader, and waits for ever if the peer hangs up during it.
What came after the handshake waits in wsproto; the reader begins with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Final, TypeAlias, TypeVar

import trio
import wsproto
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    TextMessage,
)

from farcall._limits import MessageLimit, message_limit
from farcall._nursery import ends_program
from farcall._protocol.skipped import Skipped
from farcall._transport.transport import CloseReason, Receiver, logger, ping_bucket, too_many_pings
from farcall._transport.websocket.assembly import Assembly, Refused
from farcall._transport.websocket.frames import FrameReader, FrameWriter
from farcall._transport.websocket.sending import Sender
from farcall._transport.websocket.socket import LARGE_RECEIVE_BYTES, LOST, RECEIVE_BYTES
from farcall._transport.websocket.tls import ByteStream, socket_below
from farcall.errors import CloseCode

TURN_SECONDS: Final = 0.005
"""After which other tasks have their turn: a segment may hold ten thousand messages. Reading one
message is never interrupted."""

T = TypeVar("T")
ReadBytes: TypeAlias = Callable[[int | None], Awaitable[bytes]]


class GuardedConnection(WebSocketConnection):
    """An open WebSocket."""

    def __init__(self, stream: ByteStream, protocol: wsproto.WSConnection) -> None:
        tapped = trio.StapledStream(stream, _Tap(self._receive_for_engine))
        super().__init__(tapped, protocol, host="", path="", receive_buffer_size=RECEIVE_BYTES)
        self._initial_request = None  # the handshake is over
        self._byte_stream = stream
        self._socket = socket_below(stream)
        self._limits = self._socket.limits
        self._frames_out = FrameWriter(is_client=protocol.client)
        self._sender = Sender(stream, self._socket)
        limit = message_limit(self._limits, is_client=protocol.client)
        self._frames_in = FrameReader(is_client=protocol.client, limit=limit.size)
        self._assembly = Assembly(limit, self._limits.fragments, self._may_skip)
        self._incomplete = 0
        self._ping_tokens = ping_bucket(self._limits, self._socket.received_at)
        self._receiver: Receiver  # from `read`, which alone makes events
        self._turn_ends = inf
        self._patience = trio.CancelScope()
        self._is_failed = False
        self.reason: CloseReason | None = None
        """Why the link ends; the first reason stays."""

    @property
    def _is_open(self) -> bool:
        """Whether neither side has sent a Close frame."""
        return self._wsproto.state is ConnectionState.OPEN

    async def read(self, receiver: Receiver) -> None:
        """Read until the link ends."""
        self._receiver = receiver
        try:
            await self._read_patiently()
        except Exception:  # noqa: BLE001 - a fault below us that a peer has found ends its own link
            logger.exception("reading from a WebSocket failed")
            await self.fail(CloseCode.INTERNAL, "internal error")
        if self._is_failed:
            await self._socket.finish()

    def send_now(self, frames: Sequence[bytes]) -> bool:
        return self.reason is None and self._sender.put(self._frames_out.write(frames))

    def ping_now(self, payload: bytes) -> bool:
        # Not by trio-websocket's own `ping`, which waits for the pong.
        is_open = self.reason is None and self._is_open
        return is_open and self._sender.put(self._wsproto.send(Ping(payload)))

    async def send_rest(self) -> None:
        """Wait until everything has been sent.

        Raises:
            ConnectionClosed: the link has ended or is ending.
        """
        if self.reason is not None:
            raise ConnectionClosed(self._close_reason)
        await self._drain()

    async def send_close(self, closing: CloseReason) -> None:
        """Send a Close frame; nothing is delivered from now on."""
        self.note_reason(closing)
        if self._is_open:
            await self._send(CloseConnection(closing.code, closing.reason))

    async def fail(self, code: int, reason: str) -> None:
        """Send a Close frame because of a fault of the peer or the receiver; read no more."""
        self._is_failed = True
        with trio.move_on_after(self._limits.close_seconds), suppress(ConnectionClosed):
            await self.send_close(CloseReason(code, reason, remote=False))
        self._patience.cancel()

    def note_reason(self, reason: CloseReason) -> None:
        """Set the reason for which the link ends, unless it has one."""
        if self.reason is None:
            self.reason = reason
            self._assembly.clear()
            self._frames_in.drop()

    # Reading

    def limit_messages(self, limit: MessageLimit) -> None:
        self._assembly.message_limit, self._frames_in.limit = limit, limit.size

    async def _read_patiently(self) -> None:
        try:
            with self._patience:
                await self._reader_task()
        finally:
            self._receiver.on_pause()
        if self._patience.cancelled_caught and self._is_open:
            seconds = self._limits.incomplete_seconds
            problem = f"a message was incomplete for {seconds:g} s (the limit incomplete_seconds)"
            await self.fail(CloseCode.POLICY, problem)

    def _be_patient(self, seconds: float) -> None:
        self._patience.deadline = trio.current_time() + seconds

    async def _receive_for_engine(self, _: int | None) -> bytes:
        """Wait for bytes for wsproto, and deliver the whole messages that come before them."""
        frames = self._frames_in
        while True:
            self._receiver.on_pause()
            most = max(RECEIVE_BYTES, min(frames.missing, LARGE_RECEIVE_BYTES))
            data = bytes(await self._byte_stream.receive_some(most))
            self._turn_ends = perf_counter() + TURN_SECONDS
            if not data or not (frames.missing or self._is_engine_idle()):
                return data
            if rest := await self._take_messages(data):
                return rest

    async def _take_messages(self, data: bytes) -> bytes:
        """Deliver the messages at the beginning of `data`; return what follows them."""
        frames, receiver = self._frames_in, self._receiver
        was_incomplete = frames.missing > 0
        frames.feed(data)
        if was_incomplete:
            self._note_incomplete()
        while (message := frames.next_message()) is not None:
            await self._give(receiver.on_binary if frames.is_binary else receiver.on_text, message)
        rest = frames.rest()
        if frames.missing:
            self._note_incomplete()
        return rest

    def _is_engine_idle(self) -> bool:
        """Whether wsproto has read all that it got, and is between two messages."""
        engine = self._wsproto.connection
        if engine is None:
            return False
        decoder = engine._proto._frame_decoder
        is_between_frames = decoder.header is None and not len(decoder.buffer)
        return is_between_frames and engine._proto._message_decoder.opcode is None

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        message = None
        if self.reason is None:
            try:
                message = self._assembly.add(event)
            except Refused as refused:
                await self.fail(refused.code, refused.reason)
            self._note_incomplete()
        if isinstance(message, str):
            await self._give(self._receiver.on_text, message.encode())
        elif isinstance(message, Skipped):
            await self._give(self._receiver.on_skipped, message)
        elif message is not None:
            await self._give(self._receiver.on_binary, message)
        else:
            await self._yield_turn()

    def _may_skip(self, start: bytes) -> bool:
        return self._receiver.may_skip(start)

    async def _handle_pong_event(self, event: Pong) -> None:
        await self._give(self._receiver.on_pong, bytes(event.payload))

    async def _handle_ping_event(self, event: Ping) -> None:
        # Counted when the bytes came: a peer is not to blame if they are read late.
        if self._is_open and not self._ping_tokens.take(self._socket.received_at):
            await self.fail(CloseCode.POLICY, too_many_pings(self._limits))
        elif self._is_open and not self._sender.put(self._wsproto.send(event.response())):
            self._receiver.on_rest()  # the limit of pings bounds the pongs that wait
        await self._yield_turn()

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        if self._is_open:  # so it is not the peer's, after which the state is another
            await self.fail(int(event.code), event.reason or "")
        else:
            self.note_reason(CloseReason(int(event.code), event.reason or ""))
            self._be_patient(self._limits.close_seconds)
            await super()._handle_close_connection_event(event)

    async def _give(self, callback: Callable[[T], None], payload: T) -> None:
        """Deliver what came, unless the link is ending; then let other tasks have their turn."""
        if self.reason is None:
            try:
                callback(payload)
            except BaseException as exc:  # a bug of ours must not look like a fault of the network
                if ends_program(exc):
                    raise
                logger.exception("the receiver of a transport failed")
                await self.fail(CloseCode.INTERNAL, "internal error")
        if perf_counter() > self._turn_ends:
            await self._yield_turn()

    async def _yield_turn(self) -> None:
        """Let other tasks run, if this turn has taken long already."""
        if perf_counter() > self._turn_ends:
            self._receiver.on_pause()
            await trio.lowlevel.checkpoint()
            self._turn_ends = perf_counter() + TURN_SECONDS

    def _note_incomplete(self) -> None:
        """Report the size of an incomplete message, and limit its time, from its first piece on."""
        if self.reason is not None:
            return
        is_incomplete = self._assembly.is_incomplete or self._frames_in.missing > 0
        is_watched = self._patience.deadline != inf
        if is_incomplete and not is_watched:
            self._be_patient(self._limits.incomplete_seconds)
        elif is_watched and not is_incomplete:
            self._patience.deadline = inf
        size = self._assembly.size + self._frames_in.size
        if size != self._incomplete:
            self._incomplete = size
            self._receiver.on_incomplete(size)

    # Sending; trio-websocket calls `_send` as well

    async def _send(self, event: Event) -> None:
        if not self._sender.put(self._wsproto.send(event)):
            # A Close frame may be torn, for nothing follows it, and its time is short.
            await self._drain(shield=not isinstance(event, CloseConnection))

    async def _drain(self, *, shield: bool = True) -> None:
        with trio.CancelScope(shield=shield):
            try:
                await self._sender.drain()
            except LOST:
                # trio-websocket would stop its reader here. Let it go on: the socket may still hold
                # what the peer sent last, such as why it hung up.
                raise ConnectionClosed(self._close_reason) from None


class _Tap(trio.abc.ReceiveStream):
    """The stream that trio-websocket's reader reads from."""

    def __init__(self, receive: ReadBytes) -> None:
        self._receive = receive

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._receive(max_bytes)

    async def aclose(self) -> None:
        """Do nothing: closing the sending stream closes the socket, which is the same."""
        await trio.lowlevel.checkpoint()
