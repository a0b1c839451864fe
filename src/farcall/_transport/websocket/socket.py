"""The socket below a WebSocket, which notes when bytes come and whether ours are accepted.

Trio's `SocketStream.send_all` says only whether all of a message was sent. A large message on a
slow line is no fault, but a peer that accepts nothing is. So the partial sends are made here. With
TLS the bytes on the socket count as well, so the socket stays at hand: it is watched there, and can
be closed at any time. Close frames say when a WebSocket ends, so neither side sends or expects
``close_notify``.

Trio's own calls try the socket first, usually in vain, and then wait; each of them is a checkpoint,
and so a turn of the event loop. So the socket below Trio's is called directly, to receive once it
is readable, and to send without waiting.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

import trio

from farcall._limits import Limits
from farcall._transport.transport import awaiting_close

_SocketName: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str
"""The name of one end of a socket: IPv4, IPv6, or the path of a Unix socket."""

RECEIVE_BYTES: Final = 64 * 1024
"""Bytes received at a time, as in Trio; the 4 KiB of trio-websocket cost more system calls."""

LARGE_RECEIVE_BYTES: Final = 256 * 1024
"""Bytes received at a time after a large frame has begun: each time costs a turn of the event loop,
and large frames seldom come alone."""


class GuardedSocket(trio.abc.HalfCloseableStream):
    """A socket stream that ends when it stalls, and can be hung up at any time."""

    def __init__(self, stream: trio.SocketStream, limits: Limits) -> None:
        self._stream = stream
        self.limits = limits
        """What the peer may cost, on the socket and above it."""
        self._local = _name(stream.socket.getsockname)
        self._peer = _name(stream.socket.getpeername)
        # Windows has no such sockets, and Python no name for them there.
        self.is_unix = stream.socket.family == getattr(socket, "AF_UNIX", None)
        """Whether it is a Unix socket, whose ends have no IP address."""
        self.local = _address(self._local)
        """The address of this side, as text."""
        self.peer = _address(self._peer)
        """The address of the other side, as text."""
        self.received_at = trio.current_time()
        """The time of the last byte, on Trio's clock."""
        self._raw = _raw_socket(stream.socket)
        self._is_drained = True
        self.has_stalled = False
        """Whether the peer accepted no byte for too long."""

    # No `cached_property`, which would give each connection a dict of its own.
    @property
    def local_ip(self) -> IPv4Address | IPv6Address | None:
        """The IP address of this side; None for a Unix socket."""
        return _ip(self._local)

    @property
    def peer_ip(self) -> IPv4Address | IPv6Address | None:
        """That of the other side; None also if the peer has gone already."""
        return _ip(self._peer)

    @property
    def can_peek(self) -> bool:
        """Whether `peek` can be called: the socket of the system is at hand."""
        return self._raw is not None

    def peek(self) -> bytes | None:
        """Look whether a byte has come, without waiting for it or taking it.

        Returns:
            The byte, or ``b""`` if the peer has hung up; None if no byte has come.

        Raises:
            trio.BrokenResourceError: the connection was lost.
        """
        assert self._raw is not None
        try:
            return self._raw.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            raise trio.BrokenResourceError(str(exc)) from exc

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`; abort if the peer accepts no byte for `stall_seconds`."""
        with trio.move_on_after(self.limits.stall_seconds) as patience:
            remaining = memoryview(data)
            try:
                while remaining:
                    sent = await self._stream.socket.send(remaining)
                    remaining = remaining[sent:]
                    patience.deadline = trio.current_time() + self.limits.stall_seconds
            except OSError as exc:
                raise trio.BrokenResourceError(str(exc)) from exc
        if patience.cancelled_caught:
            self.has_stalled = True
            self.abort()
            raise trio.BrokenResourceError("the peer takes no data")

    def send_now(self, data: bytes) -> int:
        """Send what the socket accepts without waiting; return how many bytes that were.

        Call it only while no task is in `send_all`. A socket that is closed accepts nothing;
        `send_all` of the rest raises then.
        """
        if self._raw is None:
            return 0
        try:
            sent: int = self._raw.send(data)
        except OSError:
            return 0
        return sent

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket has room; see `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes, and note when they came.

        Each call waits for the socket, or lets other tasks run if the last call has left bytes in
        it. So a peer that sends without end holds up no other task.

        Raises:
            trio.BrokenResourceError: the connection was lost.
            trio.ClosedResourceError: this side has hung up.
        """
        raw = self._raw
        if raw is None:
            data = bytes(await self._stream.receive_some(max_bytes))
            self.received_at = trio.current_time()
            return data
        most = max_bytes or RECEIVE_BYTES
        if not self._is_drained:
            await trio.lowlevel.checkpoint()
        while True:
            if raw.fileno() < 0:
                raise trio.ClosedResourceError("this side has hung up")
            if self._is_drained:
                await trio.lowlevel.wait_readable(raw)
            try:
                data = raw.recv(most)
            except (BlockingIOError, InterruptedError):
                self._is_drained = True
            except OSError as exc:
                raise trio.BrokenResourceError(str(exc)) from exc
            else:
                self._is_drained = len(data) < most
                self.received_at = trio.current_time()
                return data

    async def send_eof(self) -> None:
        """Send the end of file; see `trio.abc.HalfCloseableStream`."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()

    def abort(self) -> None:
        """Close the socket; a task that waits on it gets `trio.ClosedResourceError`."""
        self._stream.socket.close()

    async def finish(self) -> None:
        """Hang up so that the peer still gets the last bytes that were sent.

        A socket that is closed while it holds unread bytes sends a reset, which may overtake what
        was sent before. So send the end of file, and read until the peer hangs up, for
        `close_seconds` at most.
        """
        try:
            with awaiting_close(self.peer, self.limits.close_seconds), suppress(*LOST):
                await self.send_eof()
                while await self.receive_some():
                    pass
        finally:
            self.abort()


LOST = (trio.BrokenResourceError, trio.ClosedResourceError)
"""What a stream raises when either side ends the link."""


def _raw_socket(outer: trio.socket.SocketType) -> socket.socket | None:
    """Return the socket that Trio's wraps, if it is one of the system."""
    # Trio has no public name for it. If the private one changes, all of this still works, by
    # Trio's own calls, and a test fails because it has become slow.
    inner: object = getattr(outer, "_sock", None)
    return inner if isinstance(inner, socket.socket) else None


def _name(ask: Callable[[], _SocketName]) -> _SocketName:
    try:
        return ask()
    except OSError:
        return "unknown"  # the peer of a new connection may have gone already


def _ip(name: _SocketName) -> IPv4Address | IPv6Address | None:
    return _parsed(name[0]) if isinstance(name, tuple) else None


@lru_cache(128)
def _parsed(host: str) -> IPv4Address | IPv6Address:
    return ip_address(host)


def _address(name: _SocketName) -> str:
    match name:
        case (host, port, *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return name or "unnamed"
