"""One open WebSocket: it delivers messages in its reader, and enforces limits.

Theory of operation. Nearly all that comes is a message in one whole frame, or a ping or its pong:
these are read here (`frames`, `control`). At anything else, trio-websocket's connection on wsproto
takes over (`engine`); it is made then, for an idle connection has no use for it. It also sends our
Close frame, answers the peer's, and has the last word on every frame that is not whole.

What a peer can do, or what it costs, is limited here:

- Sizes are counted in bytes, fragments are counted, and an incomplete message has a time limit.
- Pings are counted: each costs an answer, and a peer may send nothing else.
- After our own Close frame nothing is delivered, and no ping is answered (wsproto would raise
  LocalProtocolError out of the reader).
- Many small messages that came at once are handled in several turns of the event loop, also those
  that are dropped.
- What the socket accepts at once is sent without a task switch, and all bytes leave in order
  (`sending`). The rest is sent under a shield: cancelled in the middle of a frame, the link would
  be torn.

The handshake is over when one is made (see `handshake`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Final, TypeVar

import trio
from trio_websocket import ConnectionClosed
from wsproto.events import BytesMessage, TextMessage

from farcall._limits import MessageLimit, message_limit
from farcall._nursery import ends_program
from farcall._protocol.skipped import Skipped
from farcall._transport.transport import CloseReason, Receiver, logger, ping_bucket, too_many_pings
from farcall._transport.websocket.assembly import Assembly, Refused
from farcall._transport.websocket.control import PING, PONG, take_control, write_control
from farcall._transport.websocket.engine import Engine
from farcall._transport.websocket.frames import FrameReader, FrameWriter
from farcall._transport.websocket.sending import Sender
from farcall._transport.websocket.socket import LARGE_RECEIVE_BYTES, LOST, RECEIVE_BYTES
from farcall._transport.websocket.tls import ByteStream, socket_below
from farcall.errors import CloseCode

TURN_SECONDS: Final = 0.005
"""After which other tasks have their turn: a segment may hold ten thousand messages. Reading one
message is never interrupted."""

T = TypeVar("T")


class GuardedConnection:
    """An open WebSocket.

    Args:
        stream: The connection, whose handshake is over.
        is_client: Which end this is.
        early: What came together with the handshake.
    """

    def __init__(self, stream: ByteStream, *, is_client: bool, early: bytes = b"") -> None:
        self._stream = stream
        self._is_client = is_client
        self._early = early
        self._socket = socket_below(stream)
        self._limits = self._socket.limits
        self._frames_out = FrameWriter(is_client=is_client)
        self._sender = Sender(stream, self._socket)
        self._limit = message_limit(self._limits, is_client=is_client)
        self._frames_in = FrameReader(is_client=is_client, limit=self._limit.size)
        self._engine: Engine | None = None
        self._assembly: Assembly | None = None
        self._incomplete = 0
        self._ping_tokens = ping_bucket(self._limits, self._socket.received_at)
        self._receiver: Receiver  # from `read`, which alone has it called
        self._turn_ends = inf
        self._patience: trio.CancelScope | None = None
        """Ends the reading; None while only whole messages have come."""
        self._is_failed = self._is_over = False
        self.reason: CloseReason | None = None
        """Why the link ends; the first reason stays."""

    @property
    def _is_open(self) -> bool:
        """Whether neither side has sent a Close frame, nor the connection has ended."""
        return not self._is_over and (self._engine is None or self._engine.is_open)

    async def read(self, receiver: Receiver) -> None:
        """Read until the link ends: whole messages, and then, if need be, by the engine."""
        self._receiver = receiver
        data, self._early = self._early, b""
        try:
            while not self._is_failed:
                if not data:
                    receiver.on_pause()
                    data = bytes(await self._stream.receive_some(RECEIVE_BYTES))
                    self._turn_ends = perf_counter() + TURN_SECONDS
                    if not data:
                        break
                data = await self._take_messages(data)
                if data or self._frames_in.missing:
                    await self._read_by_engine(data)
                    break
        except LOST:
            pass
        except Exception:  # noqa: BLE001 - a fault below us that a peer has found ends its own link
            logger.exception("reading from a WebSocket failed")
            receiver.on_pause()
            await self.fail(CloseCode.INTERNAL, "internal error")
        finally:
            receiver.on_pause()
        self._is_over = True
        if self._is_failed:
            await self._socket.finish()

    def send_now(self, frames: Sequence[bytes]) -> bool:
        return self.reason is None and self._sender.put(self._frames_out.write(frames))

    def ping_now(self, payload: bytes) -> bool:
        return self.reason is None and self._is_open and self._put_control(PING, payload)

    def _put_control(self, opcode: int, payload: bytes) -> bool:
        return self._sender.put(write_control(opcode, payload, is_client=self._is_client))

    async def send_rest(self) -> None:
        """Wait until everything has been sent.

        Raises:
            ConnectionClosed: the link has ended or is ending.
        """
        if self.reason is not None:
            raise ConnectionClosed(None)
        await self._drain()

    async def send_close(self, closing: CloseReason) -> None:
        """Send a Close frame; nothing is delivered from now on."""
        self.note_reason(closing)
        if self._is_open:
            await self._begin_engine().send_close(closing)

    async def fail(self, code: int, reason: str) -> None:
        """Send a Close frame because of a fault of the peer or the receiver; read no more."""
        self._is_failed = True
        with trio.move_on_after(self._limits.close_seconds), suppress(ConnectionClosed):
            await self.send_close(CloseReason(code, reason, remote=False))
        if self._patience is not None:
            self._patience.cancel()

    def note_reason(self, reason: CloseReason) -> None:
        """Set the reason for which the link ends, unless it has one."""
        if self.reason is None:
            self.reason = reason
            self._frames_in.drop()
            if self._assembly is not None:
                self._assembly.clear()

    # Reading

    def limit_messages(self, limit: MessageLimit) -> None:
        self._limit, self._frames_in.limit = limit, limit.size
        if self._assembly is not None:
            self._assembly.message_limit = limit

    async def _read_by_engine(self, data: bytes) -> None:
        """Have the engine read until the link ends, `data` first."""
        self._early = data
        engine = self._begin_engine()
        with trio.CancelScope() as self._patience:
            self._note_incomplete()
            await engine.read()
        self._receiver.on_pause()
        if self._patience.cancelled_caught and self._is_open:
            seconds = self._limits.incomplete_seconds
            problem = f"a message was incomplete for {seconds:g} s (the limit incomplete_seconds)"
            await self.fail(CloseCode.POLICY, problem)

    def _begin_engine(self) -> Engine:
        if self._engine is None:
            is_client = self._is_client
            self._engine = Engine(self._stream, self._receive_for_engine, self, is_client=is_client)
        return self._engine

    def _be_patient(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.deadline = trio.current_time() + seconds

    async def _receive_for_engine(self, _: int | None) -> bytes:
        """Wait for bytes for the engine, and deliver the whole messages that come before them."""
        frames, engine = self._frames_in, self._begin_engine()
        early, self._early = self._early, b""
        if early:
            return early
        while True:
            self._receiver.on_pause()
            most = LARGE_RECEIVE_BYTES if frames.missing else RECEIVE_BYTES
            data = bytes(await self._stream.receive_some(most))
            self._turn_ends = perf_counter() + TURN_SECONDS
            if not data or not (frames.missing or engine.is_idle):
                return data
            if rest := await self._take_messages(data):
                return rest

    async def _take_messages(self, data: bytes) -> bytes:
        """Deliver the messages at the beginning of `data`; return what follows them."""
        frames, receiver = self._frames_in, self._receiver
        was_incomplete = frames.missing > 0
        while True:
            frames.feed(data)
            if was_incomplete:
                self._note_incomplete()
            while (message := frames.next_message()) is not None:
                deliver = receiver.on_binary if frames.is_binary else receiver.on_text
                await self._give(deliver, message)
            rest = frames.rest()
            if frames.missing:
                self._note_incomplete()
            control = take_control(rest, is_masked=not self._is_client) if rest else None
            if control is None:
                return rest
            if control.opcode == PING:
                await self.on_ping(control.payload)
            else:
                await self.on_pong(control.payload)
            data = control.rest
            if not data:
                return b""

    # Called by the engine

    async def on_piece(self, event: BytesMessage | TextMessage) -> None:
        message = None
        if self._assembly is None:
            self._assembly = Assembly(self._limit, self._limits.fragments, self._may_skip)
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

    async def on_pong(self, payload: bytes) -> None:
        await self._give(self._receiver.on_pong, payload)

    async def on_ping(self, payload: bytes) -> None:
        # Counted when the bytes came: a peer is not to blame if they are read late.
        if self._is_open and not self._ping_tokens.take(self._socket.received_at):
            await self.fail(CloseCode.POLICY, too_many_pings(self._limits))
        elif self._is_open and not self._put_control(PONG, payload):
            self._receiver.on_rest()  # the limit of pings bounds the pongs that wait
        await self._yield_turn()

    async def on_close(self, closing: CloseReason) -> None:
        self.note_reason(closing)
        self._be_patient(self._limits.close_seconds)

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
        assembly = self._assembly
        is_incomplete = self._frames_in.missing > 0 or (
            assembly is not None and assembly.is_incomplete
        )
        is_watched = self._patience is not None and self._patience.deadline != inf
        if is_incomplete and not is_watched:
            self._be_patient(self._limits.incomplete_seconds)
        elif is_watched and not is_incomplete:
            self._be_patient(inf)
        size = self._frames_in.size + (0 if assembly is None else assembly.size)
        if size != self._incomplete:
            self._incomplete = size
            self._receiver.on_incomplete(size)

    # Sending

    async def send_bytes(self, data: bytes, *, shield: bool) -> None:
        if not self._sender.put(data):
            await self._drain(shield=shield)

    async def _drain(self, *, shield: bool = True) -> None:
        with trio.CancelScope(shield=shield):
            try:
                await self._sender.drain()
            except LOST:
                # trio-websocket would stop its reader here. Let it go on: the socket may still hold
                # what the peer sent last, such as why it hung up.
                raise ConnectionClosed(None) from None
