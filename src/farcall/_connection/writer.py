"""What sends: it takes what waits in the lanes, joined as far as that goes.

Theory of operation. `flush_now` sends without waiting, as long as the transport takes all that it
is given. Three tasks call it:

- the flusher, in the turn of the event loop after messages were put;
- the reader, when it pauses. While it reads, the writer is *held*, so that the answers to all
  messages of one chunk leave together;
- the task that puts a lone message, with which nothing could be joined: at once.

What the transport does not take at once is left to the task of the writer, and no message is taken
from the lanes until that has left. Meanwhile, and within a flush, another flush only marks that
there is more to do: a message that is taken may put others.
"""

from __future__ import annotations

import logging

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
        transport: Where to.
        lanes: Where messages wait.
        pings: Told when a ping is taken.
        account: Where the bytes that the transport has not taken at once are counted.
    """

    def __init__(
        self, transport: Transport, lanes: Lanes, pings: Pings, account: MemoryAccount
    ) -> None:
        self._transport = transport
        self._lanes = lanes
        self._pings = pings
        self._account = account
        self._flusher = current_flusher()
        self._rest_due = trio.Event()
        self._rest_size = 0
        self._on_sent: trio.Event | None = None
        self._is_dirty = self._is_flushing = self._has_failed = self._is_over = False
        self.is_held = False
        """Whether the reader flushes, when it pauses; it never waits while this is set."""
        self.is_sending = False
        """Whether messages that have been taken are not with the transport yet."""
        self.frames = 0
        """Sent, or being sent."""

    def wake(self) -> None:
        """Have what waits sent soon."""
        if not self._is_dirty:
            self._is_dirty = True
            if not (self.is_held or self.is_sending or self._is_flushing or self._is_over):
                self._flusher.add(self)

    def wake_through(self) -> None:
        """Send what waits at once."""
        self._is_dirty = True
        self.flush_now()

    def note_rest(self) -> None:
        """Have the task wait until a pong has left; nothing overtakes it."""
        if not self.is_sending:
            self._leave_rest(0)

    # It runs in tasks of users, where an interrupt would lose what is taken and not yet sent.
    @trio.lowlevel.enable_ki_protection
    def flush_now(self) -> None:
        """Send what waits, as far as that needs no waiting; the task does the rest.

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
                if not frames or lanes.is_closed:  # it may just have been too much
                    continue
                self.frames += len(frames)
                has_left = transport.send_now(frames)
            if not has_left:
                self._leave_rest(sum(map(len, frames)))
                return
            if lanes:
                self._is_dirty = True

    def _leave_rest(self, size: int) -> None:
        """Leave it to the task to wait until the transport has taken all; look for more then."""
        self._is_dirty = self.is_sending = True
        self._rest_size = size
        self._rest_due.set()
        self._account.charge(size)  # which may hang up, so it comes last

    async def run(self) -> None:
        """Wait for what needs waiting, again and again, until the link breaks."""
        with self._flusher.using():
            self.wake_through()
            try:
                while True:
                    await self._rest_due.wait()
                    self._rest_due = trio.Event()
                    await self._send_rest()
            except trio.BrokenResourceError:
                self._pings.lose_writer()  # the reader ends as well, and knows why

    async def _send_rest(self) -> None:
        if self._has_failed:
            # What was taken may be lost, so nothing may follow it; the peer is to know at once.
            self._pings.lose_writer()
            await self._transport.aclose(CloseCode.INTERNAL, "internal error")
            return
        try:
            await self._transport.send_rest()
        finally:
            self._account.release(self._rest_size)
        self.is_sending = False
        self.flush_now()
        if not self.is_sending:
            self._note_sent()

    async def flush(self) -> None:
        """Wait until nothing is left in the lanes that may be sent now, or the link has ended."""
        self.wake_through()
        # Asked anew: that it was through once does not mean that nothing is being sent now.
        while self.is_sending and not self._is_over:
            self._on_sent = self._on_sent or trio.Event()
            await self._on_sent.wait()

    def end(self) -> None:
        """Wake the tasks that wait in `flush`: the link has ended."""
        self._is_over = True
        self._note_sent()

    def _note_sent(self) -> None:
        if self._on_sent is not None:
            self._on_sent.set()
            self._on_sent = None
