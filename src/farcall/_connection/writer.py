"""The writer of one link: takes messages from its lanes and sends them, joined into frames.

Theory of operation. `flush_now` sends without waiting, as long as the transport takes all that it
is given. Three tasks call it:

- the flusher, in the turn of the event loop after messages were put;
- the reader, when it pauses. While it reads, the writer is *held*, so that the responses to all
  messages of one chunk leave together;
- a task that puts a lone message, which nothing could join: at once.

What the transport does not take at once is the *rest*: a task, started for it, waits until it has
left, and until then takes no message from the lanes. Meanwhile, and within a flush, another flush
only notes that there is more to do: taking a message may put others.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from farcall._connection.flusher import current_flusher
from farcall._connection.heartbeat import Pings
from farcall._connection.lanes import Lanes
from farcall._quota import MemoryAccount
from farcall._transport.transport import Transport
from farcall.errors import CloseCode

logger = logging.getLogger("farcall")


class Writer:
    """The writer of one link.

    Args:
        transport: Sends the frames.
        lanes: Hold the messages that wait.
        pings: Notes when a ping is taken.
        account: Charged with what the transport does not take at once.
        start_soon: Starts a task in the nursery of the link, which may have ended.
    """

    def __init__(
        self,
        transport: Transport,
        lanes: Lanes,
        pings: Pings,
        account: MemoryAccount,
        start_soon: Callable[[Callable[[], Awaitable[None]]], object],
    ) -> None:
        self._transport = transport
        self._lanes = lanes
        self._pings = pings
        self._account = account
        self._start_soon = start_soon
        self._flusher = current_flusher()
        self._has_task = False
        self._rest_size = 0
        self._on_sent: trio.Event | None = None
        self._is_dirty = self._is_flushing = self._has_failed = self._is_over = False
        self._is_late = False
        """Whether the flusher will call `flush_late`."""
        self.is_held = False
        """Whether the reader will flush, at its next pause; it never waits while this is set."""
        self.is_sending = False
        """Whether the transport has yet to send what was taken from the lanes."""
        self.frames = 0
        """How many frames were sent, or are being sent."""

    def begin(self) -> None:
        """Begin to send, until `end`."""
        self._flusher.join()
        self._is_dirty = True
        self._flusher.add(self)

    def wake(self) -> None:
        """Send what waits in the next turn of the event loop, or once the rest has left."""
        if not self._is_dirty:
            self._is_dirty = True
            if not (self.is_held or self.is_sending or self._is_flushing or self._is_over):
                self._flusher.add(self)

    def wake_late(self) -> None:
        """Send what waits along with the next message, or a moment later."""
        if not (self._is_dirty or self._is_late):
            self._is_late = True
            self._flusher.add_late(self)

    def flush_late(self) -> None:
        self._is_late = False
        if self._lanes:
            self.wake()

    def wake_through(self) -> None:
        """Send what waits at once."""
        self._is_dirty = True
        self.flush_now()

    def note_rest(self) -> None:
        """Have a task wait until a pong has left, which nothing may overtake."""
        if not self.is_sending:
            self._leave_rest(0)

    # It runs in tasks of users, where an interrupt would lose what is taken and not yet sent.
    @trio.lowlevel.enable_ki_protection
    def flush_now(self) -> None:
        """Send what can be sent without waiting; a task does the rest.

        Any task may call it. It never raises: a fault in here ends this link, and nothing else.
        """
        if not self._is_dirty or self.is_sending or self._is_flushing:
            return
        self._is_flushing = True
        try:
            self._flush()
        except Exception:  # the task that happens to flush this link has no part in it
            logger.exception("%s: sending failed", self._transport.endpoint.peer)
            self._has_failed = True
            self._leave_rest(0)
        finally:
            self._is_flushing = False

    def _flush(self) -> None:
        lanes, transport = self._lanes, self._transport
        while self._is_dirty:
            self._is_dirty = False
            ping = lanes.take_ping()
            if ping is not None:
                frames = [ping]
                self._pings.take(ping)
                has_left = transport.ping_now(ping)
            else:
                frames = lanes.take(trio.current_time())
                if not frames or lanes.is_closed:  # taking them may have hung up the link
                    continue
                self.frames += len(frames)
                has_left = transport.send_now(frames)
            if not has_left:
                self._leave_rest(sum(map(len, frames)))
                return
            if lanes:
                self._is_dirty = True

    def _leave_rest(self, size: int) -> None:
        """Have a task wait until the transport has sent the rest, and flush again then."""
        self._is_dirty = self.is_sending = True
        self._rest_size = size
        if not self._has_task:
            self._has_task = True
            self._start_soon(self._send_rests)
        self._account.charge(size)  # which may hang up, so it comes last

    async def _send_rests(self) -> None:
        """Send the rest, and those that follow it, until the link breaks."""
        try:
            while self.is_sending and not self._has_failed:
                await self._send_rest()
        except trio.BrokenResourceError:
            self._pings.lose_writer()  # the reader ends as well, and knows why
            return
        if self._has_failed:
            # What was taken may be lost, so nothing may follow it: tell the peer at once.
            self._pings.lose_writer()
            await self._transport.aclose(CloseCode.INTERNAL, "internal error")
        else:
            self._has_task = False

    async def _send_rest(self) -> None:
        try:
            await self._transport.send_rest()
        finally:
            self._account.release(self._rest_size)
        self.is_sending = False
        self.flush_now()
        if not self.is_sending:
            self._note_sent()

    async def flush(self) -> None:
        """Wait until all that may be sent has been sent, or the link has ended."""
        self.wake_through()
        # Checked anew: by the time this task runs, something else may be on its way.
        while self.is_sending and not self._is_over:
            self._on_sent = self._on_sent or trio.Event()
            await self._on_sent.wait()

    def end(self) -> None:
        """Send no more, and wake the tasks that wait in `flush`: the link has ended."""
        self._is_over = True
        self._flusher.leave()
        self._note_sent()

    def _note_sent(self) -> None:
        if self._on_sent is not None:
            self._on_sent.set()
            self._on_sent = None
