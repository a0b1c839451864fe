"""The one task of a link that sends: it takes what waits in the lanes, joined as far as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import trio

from farcall._budget import Account
from farcall._connection.lanes import Lanes
from farcall._connection.pings import Pings
from farcall._protocol.core import Protocol
from farcall._protocol.messages import Message, Request
from farcall._transport import Transport


class Writer:
    """The writer of one link.

    Args:
        transport: Where to.
        protocol: Renders messages at the moment when they are taken.
        lanes: Where they wait.
        pings: Told when a ping is taken.
        account: Where the bytes that are being sent are counted.
        on_expired: Takes a request that ran out of time in the lanes; it is not sent.
        on_taken: Called when messages have been taken, and before they are sent.
    """

    def __init__(
        self,
        transport: Transport,
        protocol: Protocol,
        lanes: Lanes,
        pings: Pings,
        account: Account,
        *,
        on_expired: Callable[[Request], object],
        on_taken: Callable[[], object],
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._lanes = lanes
        self._pings = pings
        self._account = account
        self._on_expired = on_expired
        self._on_taken = on_taken
        self._work = trio.Event()
        self._is_idle = trio.Event()
        self._is_over = False
        self.is_sending = False
        """Whether messages that have been taken are not with the transport yet."""
        self.frames = 0
        """Sent, or being sent."""

    def wake(self) -> None:
        """Have it look into the lanes."""
        self._work.set()

    async def run(self) -> None:
        """Take what waits and send it, again and again, until the link breaks."""
        try:
            while True:
                await self._write()
        except trio.BrokenResourceError:
            self._pings.lose_writer()  # the reader ends as well, and knows why

    async def _write(self) -> None:
        payload = self._lanes.take_ping()
        if payload is not None:
            self._pings.take(payload)
            await self._transport.ping(payload)
            return
        now = trio.current_time()
        frames = self._protocol.frames(self._unexpired(now), now)
        if not frames:
            await self._wait_work()
            return
        self._on_taken()
        self.frames += len(frames)
        await self._send(frames)

    async def _send(self, frames: Sequence[bytes]) -> None:
        size = sum(map(len, frames))
        self._account.hold(size)
        self.is_sending = True
        try:
            if not self._lanes.is_closed:  # it may just have been too much
                await self._transport.send(frames)
        finally:
            self.is_sending = False
            self._account.release(size)

    def _unexpired(self, now: float) -> Iterator[Message]:
        for message in self._lanes.drain():
            if isinstance(message, Request) and message.has_expired(now):
                self._on_expired(message)
            else:
                yield message

    async def _wait_work(self) -> None:
        self._is_idle.set()
        await self._work.wait()
        self._work = trio.Event()

    async def flush(self) -> None:
        """Wait until nothing is left in the lanes that may be sent now, or the link has ended."""
        # Asked anew: that it was idle once does not mean that nothing is being sent now.
        while not self._is_over:
            if self._is_idle.is_set():
                self._is_idle = trio.Event()
            self.wake()
            await self._is_idle.wait()
            if not len(self._lanes):
                return

    def end(self) -> None:
        """Let those go who wait for it: the link has ended."""
        self._is_over = True
        self._is_idle.set()
