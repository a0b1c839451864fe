"""trio-websocket's connection, made to give messages out in its reader, and to fail loudly.

What it does as it is: run the reader, and answer the peer's Close.
What is changed here, each for something that a peer can do or that costs too much:

- Messages go to the receiver in the reader itself. trio-websocket hands them over a channel, which
  costs a switch of tasks each, and while that is full neither pings nor a Close are answered.
- Text in whole frames, nearly all that comes, is taken out before it reaches wsproto (`frames`).
- Sizes are counted in bytes, fragments are counted, an incomplete message may not last for ever.
- Pings are counted: each costs an answer, and no message need be among them.
- What wsproto finds wrong comes as a Close event while the connection is still open. It is the
  Close frame that *we* should send; trio-websocket takes it for the peer's, and nothing leaves.
- After our own Close frame nothing is delivered any more, and no ping is answered (wsproto raises
  LocalProtocolError for that, out of the reader).
- A KeyError in a handler is taken for an unknown event; ours let no exception out.
- Many small messages that came at once are handled in several turns of the event loop, and those
  that are dropped as well.
- What the socket takes at once is sent without a task switch, and all bytes leave in the order in
  which they were made (`sending`). What remains is sent under a shield: cancelled in the middle of
  a frame it would leave a torn link.

The handshake is over when one is made (see `handshake`), so that nothing has to run before
`read` does: trio-websocket's own handshake needs the reader, and waits for ever for a peer that
hangs up in it. What came after the handshake waits in wsproto; the reader begins with it.
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
from farcall._transport.websocket.socket import LOST, RECEIVE_BYTES, ByteStream, socket_below
from farcall.errors import CloseCode

TURN_SECONDS: Final = 0.005
"""After which others have their turn, though more messages have come: a segment may hold ten
thousand of them. A message is never cut in two, so one that takes longer does take longer."""

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
        """Whether no Close frame has gone either way."""
        return self._wsproto.state is ConnectionState.OPEN

    async def read(self, receiver: Receiver) -> None:
        """Read until there is nothing more to read, or to wait for."""
        self._receiver = receiver
        try:
            await self._read_patiently()
        except Exception:  # noqa: BLE001 - whatever a peer found below us, it ends its link alone
            logger.exception("reading from a WebSocket failed")
            await self.fail(CloseCode.INTERNAL, "internal error")
        if self._is_failed:
            await self._socket.finish()

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send frames as far as that needs no waiting; see `Transport.send_now`."""
        return self.reason is None and self._sender.put(self._frames_out.write(frames))

    def ping_now(self, payload: bytes) -> bool:
        """Send a ping likewise; trio-websocket's own `ping` also waits for the pong."""
        is_open = self.reason is None and self._is_open
        return is_open and self._sender.put(self._wsproto.send(Ping(payload)))

    async def send_rest(self) -> None:
        """Wait until what could not leave at once has left.

        Raises:
            ConnectionClosed: the link has ended, or is ending.
        """
        if self.reason is not None:
            raise ConnectionClosed(self._close_reason)
        await self._drain()

    async def say_goodbye(self, closing: CloseReason) -> None:
        """Send a Close frame; from now on the receiver hears nothing."""
        self.note_reason(closing)
        if self._is_open:
            await self._send(CloseConnection(closing.code, closing.reason))

    async def fail(self, code: int, reason: str) -> None:
        """Send a Close frame for something that the peer, or the receiver, did; read no more."""
        self._is_failed = True
        with trio.move_on_after(self._limits.close_seconds), suppress(ConnectionClosed):
            await self.say_goodbye(CloseReason(code, reason, remote=False))
        self._patience.cancel()

    def note_reason(self, reason: CloseReason) -> None:
        """Remember why the link ends, if it was not ending before."""
        if self.reason is None:
            self.reason = reason
            self._assembly.clear()
            self._frames_in.drop()

    # Reading

    def limit_messages(self, limit: MessageLimit) -> None:
        """Take messages of another size from now on; see `Transport.limit_messages`."""
        self._assembly.message_limit, self._frames_in.limit = limit, limit.size

    async def _read_patiently(self) -> None:
        try:
            with self._patience:
                await self._reader_task()
        finally:
            self._pause()
        if self._patience.cancelled_caught and self._is_open:
            seconds = self._limits.incomplete_seconds
            problem = f"a message was incomplete for {seconds:g} s (the limit incomplete_seconds)"
            await self.fail(CloseCode.POLICY, problem)

    def _be_patient(self, seconds: float) -> None:
        self._patience.deadline = trio.current_time() + seconds

    async def _receive_for_engine(self, max_bytes: int | None) -> bytes:
        """Wait for bytes that wsproto is to read; the text before them goes to the receiver."""
        while True:
            self._pause()
            data = bytes(await self._byte_stream.receive_some(max_bytes))
            self._turn_ends = perf_counter() + TURN_SECONDS
            if not data or not (self._frames_in.is_incomplete or self._is_engine_idle()):
                return data
            if rest := await self._take_texts(data):
                return rest

    async def _take_texts(self, data: bytes) -> bytes:
        """Give the texts at the beginning of `data` to the receiver; return what follows them."""
        frames = self._frames_in
        was_incomplete = frames.is_incomplete
        frames.feed(data)
        if was_incomplete:
            self._note_incomplete()
        while (text := frames.next_text()) is not None:
            await self._give(self._receiver.on_text, text)
        rest = frames.rest()
        if frames.is_incomplete:
            self._note_incomplete()
        return rest

    def _is_engine_idle(self) -> bool:
        """Tell whether wsproto has read all that it got, and stands between two messages."""
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
        # The bytes came when the socket says so: to read them late is no fault of the peer.
        if self._is_open and not self._ping_tokens.take(self._socket.received_at):
            await self.fail(CloseCode.POLICY, too_many_pings(self._limits))
        elif self._is_open and not self._sender.put(self._wsproto.send(event.response())):
            self._receiver.on_rest()  # those that wait are as few as the pings that may come
        await self._yield_turn()

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        if self._is_open:  # not the peer's: a Close of the peer would have changed that
            await self.fail(int(event.code), event.reason or "")
        else:
            self.note_reason(CloseReason(int(event.code), event.reason or ""))
            self._be_patient(self._limits.close_seconds)
            await super()._handle_close_connection_event(event)

    async def _give(self, callback: Callable[[T], None], payload: T) -> None:
        """Give to the receiver what came, unless the link is ending, and others their turn."""
        if self.reason is None:
            try:
                callback(payload)
            except BaseException as exc:  # a fault of ours must not look like one of the network
                if ends_program(exc):
                    raise
                logger.exception("the receiver of a transport failed")
                await self.fail(CloseCode.INTERNAL, "internal error")
        if perf_counter() > self._turn_ends:
            await self._yield_turn()

    async def _yield_turn(self) -> None:
        """Let others run, if what came at once has taken long already."""
        if perf_counter() > self._turn_ends:
            self._pause()
            await trio.lowlevel.checkpoint()
            self._turn_ends = perf_counter() + TURN_SECONDS

    def _pause(self) -> None:
        """Tell the receiver that nothing more comes for now: due before all that may wait."""
        self._receiver.on_pause()

    def _note_incomplete(self) -> None:
        """Watch the time of a message whose end has not come, and tell what is kept of it.

        The peer has its time from the first piece on, and not again with each.
        """
        if self.reason is not None:
            return
        is_incomplete = self._assembly.is_incomplete or self._frames_in.is_incomplete
        is_watched = self._patience.deadline != inf
        if is_incomplete and not is_watched:
            self._be_patient(self._limits.incomplete_seconds)
        elif is_watched and not is_incomplete:
            self._patience.deadline = inf
        size = self._assembly.size + self._frames_in.size
        if size != self._incomplete:
            self._incomplete = size
            self._receiver.on_incomplete(size)

    # Sending: all that trio-websocket sends passes here as well

    async def _send(self, event: Event) -> None:
        if not self._sender.put(self._wsproto.send(event)):
            # A Close frame may be torn, for nothing follows it; and its time is short.
            await self._drain(shield=not isinstance(event, CloseConnection))

    async def _drain(self, *, shield: bool = True) -> None:
        with trio.CancelScope(shield=shield):
            try:
                await self._sender.drain()
            except LOST:
                # trio-websocket would stop its reader here. Let it read: what the peer said last,
                # such as why it hung up, may still lie in the socket, and the end of it after that.
                raise ConnectionClosed(self._close_reason) from None


class _Tap(trio.abc.ReceiveStream):
    """What trio-websocket's reader receives from."""

    def __init__(self, receive: ReadBytes) -> None:
        self._receive = receive

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._receive(max_bytes)

    async def aclose(self) -> None:
        """Leave it to the stream that sends, which is the same one below."""
        await trio.lowlevel.checkpoint()
