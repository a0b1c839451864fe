"""trio-websocket's connection, made to give messages out in its reader, and to fail loudly.

What it does as it is: run the reader, answer the peer's Close, keep frames apart with its lock.
What is changed here, each for something that a peer can do or that costs too much:

- Messages go to the receiver in the reader itself. trio-websocket hands them over a channel, which
  costs a switch of tasks each, and while that is full neither pings nor a Close are answered.
- Sizes are counted in bytes, fragments are counted, an incomplete message may not last for ever.
- Pings are counted: each costs an answer, and no message need be among them.
- What wsproto finds wrong comes as a Close event while the connection is still open. It is the
  Close frame that *we* should send; trio-websocket takes it for the peer's, and nothing leaves.
- After our own Close frame nothing is delivered any more, and no ping is answered (wsproto raises
  LocalProtocolError for that, out of the reader).
- A KeyError in a handler is taken for an unknown event; ours let no exception out.
- Many small messages that came at once are handled in several turns of the event loop.
- A frame is sent under a shield: cancelled in its middle it would leave a torn link.

The handshake is over when one is made (see `handshake`), so that nothing has to run before
`read` does: trio-websocket's own handshake needs the reader, and waits for ever for a peer that
hangs up in it. What came behind the handshake waits in wsproto; the reader begins with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

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

from farcall._transport import CloseReason, Receiver, logger, ping_bucket, too_many_pings
from farcall._websocket.assembly import Assembly, Refused
from farcall._websocket.line import Line
from farcall._websocket.wire import LOST
from farcall.errors import CloseCode

RECEIVE_BYTES: Final = 64 * 1024
"""Asked of the socket at a time: Trio's own choice; trio-websocket's 4 KiB cost calls."""

TURN_SECONDS: Final = 0.005
"""After which others have their turn, though more messages have come: a segment may hold ten
thousand of them. A message is never cut in two, so one that takes longer does take longer."""

PayloadT = TypeVar("PayloadT", str | bytes, bytes)


class GuardedConnection(WebSocketConnection):
    """An open WebSocket."""

    def __init__(self, line: Line, protocol: wsproto.WSConnection) -> None:
        super().__init__(line.stream, protocol, host="", path="", receive_buffer_size=RECEIVE_BYTES)
        self._initial_request = None  # the handshake is over
        self._wire = line.wire
        self._limits = line.wire.limits
        self._assembly = Assembly(self._limits)
        self._ping_tokens = ping_bucket(self._limits, line.wire.received_at)
        self._receiver: Receiver  # from `read`, which alone makes events
        self._yielded_at = line.wire.received_at
        self._patience = trio.CancelScope()
        self._is_failed = False
        self.reason: CloseReason | None = None
        """Why the link ends; the first reason stays."""

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
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
            await self._wire.finish()

    async def send_frames(self, frames: Sequence[bytes]) -> None:
        """Send messages in one piece, so that they can leave in one TCP segment.

        Each is text, but those that begin with a NUL byte, as no JSON does, are binary.

        Raises:
            ConnectionClosed: the link has ended, or ends.
        """
        await self._send_events([_message(frame) for frame in frames])

    async def send_ping(self, payload: bytes) -> None:
        """Send a ping; trio-websocket's own `ping` also waits for the pong."""
        await self._send_events([Ping(payload)])

    async def say_goodbye(self, closing: CloseReason) -> None:
        """Send a Close frame; from now on the receiver hears nothing."""
        self.note_reason(closing)
        if self.is_open:
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

    async def _read_patiently(self) -> None:
        with self._patience:
            await self._reader_task()
        if self._patience.cancelled_caught and self.is_open:
            seconds = self._limits.incomplete_seconds
            problem = f"a message was incomplete for {seconds:g} s (the limit incomplete_seconds)"
            await self.fail(CloseCode.POLICY, problem)

    def _be_patient(self, seconds: float) -> None:
        self._patience.deadline = trio.current_time() + seconds

    async def _send_events(self, events: Iterable[Event]) -> None:
        if not self.is_open:
            raise ConnectionClosed(self._close_reason)
        data = b"".join([self._wsproto.send(event) for event in events])
        del events  # a large message is in memory often enough while it waits for its peer
        with trio.CancelScope(shield=True):
            await self._send_bytes(data)

    async def _send(self, event: Event) -> None:
        # All that trio-websocket sends passes here. The order of frames is that of making them:
        # the lock is fair, and nothing is awaited between the two.
        data = self._wsproto.send(event)
        # A Close frame may be torn, for nothing follows it; and its time is short.
        with trio.CancelScope(shield=not isinstance(event, CloseConnection)):
            await self._send_bytes(data)

    async def _send_bytes(self, data: bytes) -> None:
        # Free, it is taken without a checkpoint: sending is one, and each costs a turn of the loop.
        try:
            self._stream_lock.acquire_nowait()
        except trio.WouldBlock:
            await self._stream_lock.acquire()
        try:
            await self._stream.send_all(data)
        except LOST:
            # trio-websocket would stop its reader here. Let it read: what the peer said last, such
            # as why it hung up, may still lie in the socket, and the end of it behind that.
            raise ConnectionClosed(self._close_reason) from None
        finally:
            self._stream_lock.release()

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        if self.reason is not None:
            return
        kept = self._assembly.size
        try:
            message = self._assembly.add(event)
        except Refused as refused:
            await self.fail(refused.code, refused.reason)
        else:
            self._watch_incomplete()
            if self._assembly.size != kept:
                self._receiver.on_incomplete(self._assembly.size)
            if message is not None:
                await self._give(self._receiver.on_frame, message)

    async def _handle_pong_event(self, event: Pong) -> None:
        if self.reason is None:
            await self._give(self._receiver.on_pong, bytes(event.payload))

    async def _handle_ping_event(self, event: Ping) -> None:
        if not self.is_open:
            return
        # The bytes came when the wire says so: to read them late is no fault of the peer.
        if self._ping_tokens.take(self._wire.received_at):
            with suppress(ConnectionClosed):  # the reader is about to see it
                await super()._handle_ping_event(event)
        else:
            await self.fail(CloseCode.POLICY, too_many_pings(self._limits))

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        if self.is_open:  # not the peer's: a Close of the peer would have changed that
            await self.fail(int(event.code), event.reason or "")
        else:
            self.note_reason(CloseReason(int(event.code), event.reason or ""))
            self._be_patient(self._limits.close_seconds)
            await super()._handle_close_connection_event(event)

    async def _give(self, callback: Callable[[PayloadT], None], payload: PayloadT) -> None:
        try:
            callback(payload)
        except Exception:  # noqa: BLE001 - a fault of ours must not look like one of the network
            logger.exception("the receiver of a transport failed")
            await self.fail(CloseCode.INTERNAL, "internal error")
        await self._yield_turn()

    async def _yield_turn(self) -> None:
        """Let others run, if what came at once has taken long already."""
        turn_began = max(self._wire.received_at, self._yielded_at)
        if trio.current_time() - turn_began > TURN_SECONDS:
            await trio.lowlevel.checkpoint()
            self._yielded_at = trio.current_time()

    def _watch_incomplete(self) -> None:
        """Give the peer its time from the first piece of a message on, not again with each."""
        is_watched = self._patience.deadline != float("inf")
        if self._assembly.is_incomplete and not is_watched:
            self._be_patient(self._limits.incomplete_seconds)
        elif is_watched and not self._assembly.is_incomplete:
            self._patience.deadline = float("inf")


def _message(frame: bytes) -> TextMessage | BytesMessage:
    return BytesMessage(frame) if frame.startswith(b"\0") else TextMessage(frame.decode())
