"""The outgoing bytes of a WebSocket, in the order in which they were made.

Theory of operation. `Sender.put` never waits: the socket accepts as many bytes as it has room for,
and the rest is queued. `Sender.drain` sends the queue, in order, whichever task calls it. So
nothing comes between two pieces of a frame, not even a pong, and nothing follows a Close frame.
"""

from __future__ import annotations

import trio

from farcall._transport.websocket.socket import GuardedSocket


class Sender:
    """The sender of one connection."""

    def __init__(self, stream: trio.abc.SendStream, sock: GuardedSocket) -> None:
        self._stream = stream
        self._socket = sock
        self._is_direct = stream is sock  # TLS has no way to send without waiting
        # A list, for it is short: the limit of pings bounds the pongs that wait, and a writer sends
        # nothing more before all has left.
        self._waiting: list[bytes | memoryview] = []
        self._lock: trio.StrictFIFOLock | None = None

    def put(self, data: bytes) -> bool:
        """Send `data` after all that waits; return whether the socket has accepted all of it."""
        if self._waiting or not self._is_direct:
            self._waiting.append(data)
            return False
        sent = self._socket.send_now(data)
        if sent == len(data):
            return True
        self._waiting.append(memoryview(data)[sent:])
        return False

    async def drain(self) -> None:
        """Wait until all that waits has been sent, by this task or by another.

        Any number of tasks may call it. If it is cancelled or raises, it drops what still waits: a
        frame may be torn, and nothing may follow it. So call it under a shield, or hang up then.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: the link has ended.
        """
        lock = self._lock = self._lock or trio.StrictFIFOLock()
        # A free lock is taken without a checkpoint: sending is one, and each costs a turn.
        try:
            lock.acquire_nowait()
        except trio.WouldBlock:
            await lock.acquire()
        try:
            # It stays in the queue until it is sent, so that `put` sends nothing before its end.
            while self._waiting:
                await self._stream.send_all(self._waiting[0])
                del self._waiting[0]
        except BaseException:
            self._waiting.clear()
            raise
        finally:
            lock.release()
