"""The outgoing bytes, in the order in which they were made."""

from __future__ import annotations

from typing import cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from farcall._transport.websocket.sending import Sender
from farcall._transport.websocket.socket import GuardedSocket


class Pipe:
    """A socket, and the stream above it, that accept some bytes at once, and more when allowed."""

    def __init__(self, at_once: int = 0) -> None:
        self.at_once = at_once
        self.taken = b""
        self.may_take = trio.Event()
        self.is_lost = False

    def send_now(self, data: bytes) -> int:
        sent = data[: self.at_once]
        self.at_once -= len(sent)
        self.taken += sent
        return len(sent)

    async def send_all(self, data: bytes) -> None:
        self.taken += bytes(data[:1])
        await self.may_take.wait()
        if self.is_lost:
            raise trio.BrokenResourceError
        self.taken += bytes(data[1:])


def sender_on(pipe: Pipe, *, is_secure: bool = False) -> Sender:
    stream = cast("GuardedSocket", pipe)
    return Sender(cast("GuardedSocket", Pipe()) if is_secure else stream, stream)


async def test_what_the_socket_takes_has_left() -> None:
    """What the socket accepts at once does not wait."""
    pipe = Pipe(at_once=5)
    sender = sender_on(pipe)

    assert sender.put(b"12")
    assert sender.put(b"")
    assert sender.put(b"345")
    assert pipe.taken == b"12345"
    await sender.drain()
    assert pipe.taken == b"12345"


async def test_the_rest_stands_in_line() -> None:
    """Later bytes wait for the rest, even if there is room again."""
    pipe = Pipe(at_once=2)
    sender = sender_on(pipe)
    assert not sender.put(b"123")
    pipe.at_once = 100
    assert not sender.put(b"45")
    assert pipe.taken == b"12"
    pipe.may_take.set()
    await sender.drain()

    assert pipe.taken == b"12345"
    assert sender.put(b"6")
    assert pipe.taken == b"123456"


async def test_nothing_is_put_before_a_piece_that_is_being_sent() -> None:
    """The last piece in the queue stays there until it has been sent."""
    pipe = Pipe()
    sender = sender_on(pipe)
    async with trio.open_nursery() as nursery:
        sender.put(b"12")
        nursery.start_soon(sender.drain)
        await wait_all_tasks_blocked()
        pipe.at_once = 100
        assert not sender.put(b"3")
        assert pipe.taken == b"1"
        pipe.may_take.set()

    assert pipe.taken == b"123"


async def test_several_may_wait() -> None:
    """Each task goes on when its bytes have been sent, whichever task sent them."""
    pipe = Pipe()
    sender = sender_on(pipe)
    async with trio.open_nursery() as nursery:
        for data in (b"12", b"34", b"56"):
            sender.put(data)
            nursery.start_soon(sender.drain)
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 3
        pipe.may_take.set()

    assert pipe.taken == b"123456"


async def test_nothing_follows_a_torn_frame() -> None:
    """If a task is cancelled while it sends, the bytes of the others are dropped."""
    pipe = Pipe()
    sender = sender_on(pipe)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def give_up() -> None:
            with scope:
                await sender.drain()

        sender.put(b"12")
        nursery.start_soon(give_up)
        await wait_all_tasks_blocked()
        sender.put(b"34")
        nursery.start_soon(sender.drain)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        pipe.may_take.set()

    assert pipe.taken == b"1"


async def test_a_lost_link() -> None:
    """A task that sends on a lost link gets the error."""
    pipe = Pipe()
    pipe.is_lost = True
    pipe.may_take.set()
    sender = sender_on(pipe)
    sender.put(b"12")
    with pytest.raises(trio.BrokenResourceError):
        await sender.drain()
    await sender.drain()


async def test_tls_is_never_sent_to_at_once() -> None:
    """With TLS all bytes wait for the stream above the socket."""
    pipe = Pipe(at_once=100)
    sender = sender_on(pipe, is_secure=True)

    assert not sender.put(b"12")
    assert pipe.taken == b""
