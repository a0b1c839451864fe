"""A WebSocket as a `Transport`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import trio
from trio_websocket import ConnectionClosed

from farcall._limits import MessageLimit
from farcall._transport.transport import (
    ABORTED,
    HUNG_UP,
    CloseReason,
    Endpoint,
    Receiver,
    awaiting_close,
    stalled,
)
from farcall._transport.websocket.connection import GuardedConnection
from farcall._transport.websocket.socket import GuardedSocket


class WebSocketTransport:
    """One end of an open WebSocket; `accept_websocket` and `connect_websocket` make it.

    Resources:
        It owns the socket. When `run` has returned, or after `aclose` or `abort`, that is closed.
    """

    def __init__(
        self, endpoint: Endpoint, sock: GuardedSocket, connection: GuardedConnection
    ) -> None:
        self._endpoint = endpoint
        self._socket = sock
        self._connection = connection
        self._is_reading = False
        self._idle: trio.Event | None = None

    def __repr__(self) -> str:
        state = self._connection.reason or "open"
        return f"<WebSocketTransport {self._endpoint.peer} {self._endpoint.path} {state}>"

    @property
    def endpoint(self) -> Endpoint:
        """Both ends of the link."""
        return self._endpoint

    @property
    def received_at(self) -> float:
        """The time of the last byte, on Trio's clock, even in the middle of a frame."""
        return self._socket.received_at

    def limit_messages(self, limit: MessageLimit) -> None:
        """Change the limit of incoming messages; see `Transport.limit_messages`."""
        self._connection.limit_messages(limit)

    async def run(self, receiver: Receiver) -> CloseReason:
        """Read until the link ends; see `Transport.run`."""
        self._is_reading = True
        try:
            await self._connection.read(receiver)
        finally:
            self._is_reading = False
            if self._idle is not None:
                self._idle.set()
        self._socket.abort()
        self._connection.note_reason(self._reason)
        return self._reason

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send without waiting; see `Transport.send_now`."""
        return self._connection.send_now(frames)

    def ping_now(self, payload: bytes) -> bool:
        """Send a ping without waiting; see `Transport.ping_now`."""
        return self._connection.ping_now(payload)

    async def send_rest(self) -> None:
        """Wait until everything has been sent; see `Transport.send_rest`."""
        try:
            await self._connection.send_rest()
        except ConnectionClosed:
            raise trio.BrokenResourceError(str(self._reason)) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close frame, wait for the other, hang up; see `Transport.aclose`."""
        if self._connection.reason is not None:
            await trio.lowlevel.checkpoint()
            return
        seconds = self._socket.limits.close_seconds
        try:
            with awaiting_close(self.endpoint.peer, seconds), suppress(ConnectionClosed):
                await self._connection.send_close(CloseReason(code, reason, remote=False))
                # `run` sees the peer's answer; without it, this waits for the end of the bytes.
                if self._is_reading:
                    self._idle = trio.Event()
                    await self._idle.wait()
                else:
                    await self._socket.finish()
        finally:
            self._socket.abort()

    def abort(self) -> None:
        """Hang up without a Close frame; see `Transport.abort`."""
        self._connection.note_reason(ABORTED)
        self._socket.abort()

    @property
    def _reason(self) -> CloseReason:
        """Why the link has ended; a socket that just broke has noted no reason."""
        if self._connection.reason is not None:
            return self._connection.reason
        return stalled(self._socket.limits.stall_seconds) if self._socket.has_stalled else HUNG_UP
