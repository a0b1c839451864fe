"""The socket below a WebSocket."""

from __future__ import annotations

import socket
import struct
from typing import cast

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._transport.websocket.socket import GuardedSocket
from tests.unit.transport.websocket.sockets import SMALL, open_sockets


class FakeSocket:
    """A socket that accepts a few bytes now and then."""

    family = socket.AF_INET6

    def __init__(self, takes: int, seconds: float) -> None:
        self._takes, self._seconds = takes, seconds
        self.taken = b""
        self.closed = False

    def getsockname(self) -> object:
        return ("::1", 80, 0, 0)

    def getpeername(self) -> object:
        return ""

    async def send(self, data: memoryview) -> int:
        await trio.sleep(self._seconds)
        self.taken += bytes(data[: self._takes])
        return min(len(data), self._takes)

    def close(self) -> None:
        self.closed = True


class FakeStream:
    """A socket stream, as far as `GuardedSocket` knows it."""

    def __init__(self, socket: FakeSocket) -> None:
        self.socket = socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return b"x" * (max_bytes or 1)


def guarded(socket: FakeSocket) -> GuardedSocket:
    return GuardedSocket(cast(trio.SocketStream, FakeStream(socket)), SMALL)


async def test_slow_is_not_stalled(autojump_clock: MockClock) -> None:
    """A peer may take any time if it accepts something every 10 s."""
    socket = FakeSocket(takes=1, seconds=9)
    await guarded(socket).send_all(b"12345")

    assert socket.taken == b"12345"
    assert trio.current_time() == pytest.approx(45)


async def test_stalled(autojump_clock: MockClock) -> None:
    """A peer that accepts nothing for 10 s is cut off."""
    socket = FakeSocket(takes=1, seconds=11)
    sock = guarded(socket)
    with pytest.raises(trio.BrokenResourceError, match="takes no data"):
        await sock.send_all(b"12345")

    assert trio.current_time() == pytest.approx(10)
    assert sock.has_stalled
    assert socket.closed


async def test_addresses() -> None:
    """Addresses are shown as in URLs; the ends of a socket pair have none."""
    sock = guarded(FakeSocket(1, 1))

    assert (sock.local, sock.peer) == ("[::1]:80", "unnamed")

    async with open_sockets() as (near, far):
        assert GuardedSocket(near, SMALL).peer == GuardedSocket(far, SMALL).local
        assert GuardedSocket(near, SMALL).peer.startswith("127.0.0.1:")


async def test_a_system_without_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AF_UNIX, a TCP socket is not a Unix socket."""
    monkeypatch.delattr(socket, "AF_UNIX")

    assert not guarded(FakeSocket(1, 1)).is_unix


async def test_the_address_of_a_peer_that_is_gone() -> None:
    """A peer that has reset the connection has no address, and that is no error."""
    async with open_sockets() as (near, far):
        await far.send_all(b"unread")  # what makes the close of the other end a reset
        await near.wait_send_all_might_not_block()
        near.socket.close()
        with pytest.raises(trio.BrokenResourceError):
            await far.receive_some()

        assert GuardedSocket(far, SMALL).peer == "unknown"


async def test_is_a_stream() -> None:
    """It passes the tests of a Trio stream, on which TLS relies."""
    async with open_sockets() as (near, far):
        left, right = GuardedSocket(near, SMALL), GuardedSocket(far, SMALL)
        before = trio.current_time()
        await left.wait_send_all_might_not_block()
        await left.send_all(b"12")
        await left.send_eof()

        assert await right.receive_some(1) == b"1"
        assert right.received_at >= before
        assert await right.receive_some() == b"2"
        assert await right.receive_some() == b""

        await right.aclose()
        await left.aclose()


async def test_sending_without_waiting() -> None:
    """`send_now` sends what the socket accepts, and returns how much that was."""
    async with open_sockets() as (near, far):
        sock = GuardedSocket(near, SMALL)
        assert sock.send_now(b"12345") == 5
        assert 0 < sock.send_now(b"x" * 16_000_000) < 16_000_000
        while sock.send_now(b"more"):
            pass

        assert await far.receive_some(5) == b"12345"


async def test_sending_without_waiting_on_a_lost_link() -> None:
    """A lost link accepts nothing; `send_all` of the rest raises."""
    async with open_sockets() as (near, far):
        sock = GuardedSocket(near, SMALL)
        await far.send_all(b"unread")
        await sock.receive_some()
        await far.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await sock.send_all(b"x" * 16_000_000)
        assert sock.send_now(b"x") == 0

        sock.abort()

        assert sock.send_now(b"x") == 0


async def test_a_socket_that_is_not_of_the_system() -> None:
    """Trio's own calls are used for a socket that is not of the system."""
    sock = guarded(FakeSocket(takes=5, seconds=0))

    assert sock.send_now(b"12345") == 0
    await sock.send_all(b"12345")
    assert await sock.receive_some(3) == b"xxx"


async def test_a_peer_that_sends_without_end_keeps_nobody_from_running() -> None:
    """Each receive lets other tasks run."""
    async with open_sockets() as (near, far), trio.open_nursery() as nursery:
        sock = GuardedSocket(near, SMALL)
        nursery.start_soon(far.send_all, b"x" * 4_000_000)
        turns = received = reads = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(count_turns)
        while received < 4_000_000:
            received += len(await sock.receive_some())
            reads += 1

        assert turns >= reads - 1 > 0
        nursery.cancel_scope.cancel()


async def test_receiving_is_cancelled() -> None:
    """A receive can be cancelled while it waits, and also if bytes are there."""
    async with open_sockets() as (near, far):
        sock = GuardedSocket(near, SMALL)
        with trio.move_on_after(0.01) as scope:
            await sock.receive_some()
        assert scope.cancelled_caught

        await far.send_all(b"1")
        await sock.receive_some(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await sock.receive_some()
        assert scope.cancelled_caught


async def test_receiving_on_a_lost_link() -> None:
    """A reset raises BrokenResourceError; a socket that we closed ClosedResourceError."""
    async with open_sockets() as (near, far):
        sock = GuardedSocket(near, SMALL)
        await near.send_all(b"unread")
        far.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await far.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await sock.receive_some()

        sock.abort()

        with pytest.raises(trio.ClosedResourceError):
            await sock.receive_some()


async def test_sending_to_a_peer_that_is_gone() -> None:
    """An error of a lost socket becomes BrokenResourceError."""
    async with open_sockets() as (near, far):
        await far.aclose()
        with pytest.raises(trio.BrokenResourceError):  # at the second write at the latest
            await GuardedSocket(near, SMALL).send_all(b"x" * 16_000_000)


async def test_abort_wakes_a_reader() -> None:
    """A reader gets ClosedResourceError when the socket is aborted."""
    async with open_sockets() as (near, _), trio.open_nursery() as nursery:
        sock = GuardedSocket(near, SMALL)

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await sock.receive_some()

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        sock.abort()


async def test_finish_lets_the_last_bytes_arrive() -> None:
    """A peer that is still sending gets the bytes that were sent to it before."""
    async with open_sockets() as (near, far):
        left, right = GuardedSocket(near, SMALL), GuardedSocket(far, SMALL)
        await right.send_all(b"x" * 100_000)
        await left.send_all(b"close")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(left.finish)

            assert await right.receive_some() == b"close"
            assert await right.receive_some() == b""

            await right.aclose()


async def test_finish_is_bounded() -> None:
    """A peer that does not hang up is cut off."""
    async with open_sockets() as (near, far):
        await GuardedSocket(near, attrs.evolve(SMALL, close_seconds=0.01)).finish()

        assert near.socket.fileno() == -1
        assert await far.receive_some() == b""


async def test_finish_after_abort() -> None:
    """`finish` after `abort` does nothing."""
    async with open_sockets() as (near, _):
        sock = GuardedSocket(near, SMALL)
        sock.abort()
        await sock.finish()
