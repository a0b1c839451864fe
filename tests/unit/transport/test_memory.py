"""The pair of transports in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Limits
from farcall._transport.memory import MemoryTransport, memory_pair
from farcall._transport.transport import CloseReason, Endpoint, Transport
from tests.unit.transport.suite import (
    Check,
    End,
    Recorder,
    check_transport,
    running,
    send,
    send_ping,
)


@asynccontextmanager
async def open_pair(*, limits: Limits | None = None) -> AsyncIterator[tuple[Transport, Transport]]:
    yield memory_pair(limits=limits or Limits())


@check_transport
async def test_is_a_transport(check: Check) -> None:
    """It passes the suite of every transport."""
    await check(open_pair)


def ends(pair: tuple[MemoryTransport, MemoryTransport]) -> tuple[End, End]:
    return End(pair[0]), End(pair[1])


async def test_endpoint() -> None:
    """Both ends are called memory, and know the path."""
    left, right = memory_pair(path="/side")

    assert left.endpoint == right.endpoint == Endpoint("memory", "memory", "/side")


async def test_repr() -> None:
    """The repr of an end says whether it is open, or how it ended."""
    left, _ = memory_pair()

    assert repr(left) == "<MemoryTransport / open>"

    left.abort()

    assert "closed by this side with 1006" in repr(left)


async def test_limits_are_those_of_websocket() -> None:
    """By default a server takes 1 MiB, and a client more."""
    message = b"x" * (2**20 + 1)
    left, right = ends(memory_pair())
    async with running(left, right):
        await send(right.transport, [message])

        assert await left.heard.next_frame() == message.decode()

        await send(left.transport, [message])

        assert (await right.wait_ended()).code == 1009


async def test_binary() -> None:
    """A binary message arrives as bytes."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right):
        pair[0].send_binary(b"{}")

        assert await right.heard.next_frame() == b"{}"


async def test_text_must_be_utf8() -> None:
    """Text that is not UTF-8 closes 1007."""
    left, right = ends(memory_pair())
    async with running(left, right):
        await send(left.transport, [b"\xff"])

        assert (await left.wait_ended()).code == (await right.wait_ended()).code == 1007


async def test_full_pipe_makes_a_sender_wait() -> None:
    """A sender waits while the peer reads nothing."""
    left, right = memory_pair(window=10)
    sent: list[int] = []

    async def send_it() -> None:
        for number in range(4):
            await send(left, [b"12345678"])
            sent.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_it)
        await wait_all_tasks_blocked()

        assert sent == [0, 1]

        async with running(End(right)):
            await wait_all_tasks_blocked()

            assert sent == [0, 1, 2, 3]


async def test_a_send_that_began_is_finished() -> None:
    """A cancelled `send_rest` still sends all frames."""
    left, right = memory_pair(window=10)
    reading, scope = End(right), trio.CancelScope()

    async def send_it() -> None:
        with scope:
            await send(left, [b"1" * 20, b"2" * 20, b"3"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_it)
        await wait_all_tasks_blocked()
        scope.cancel()
        async with running(reading):
            heard = [await reading.heard.next_frame() for _ in range(3)]

    assert heard == ["1" * 20, "2" * 20, "3"]


async def test_a_link_without_progress_is_aborted(autojump_clock: MockClock) -> None:
    """A peer that accepts nothing for 10 s loses the link."""
    left, _ = memory_pair(window=10)
    with pytest.raises(trio.BrokenResourceError, match="no byte was taken for 10 s"):
        await send(left, [b"1" * 20, b"2"])

    assert trio.current_time() == pytest.approx(10)
    reason = await left.run(Recorder())
    assert (reason.code, reason.remote) == (1013, False)
    assert "(the limit stall_seconds)" in reason.reason


async def test_slow_progress_is_progress(autojump_clock: MockClock) -> None:
    """A sender waits as long as the peer accepts something every 10 s."""
    pair = memory_pair(window=10)
    reading = End(pair[1])
    async with running(reading), trio.open_nursery() as nursery:
        pair[0].freeze()
        nursery.start_soon(send, pair[0], [b"1" * 20, b"2" * 20, b"3"])
        for expected in ("1" * 20, "2" * 20, "3"):
            await trio.sleep(1)
            pair[0].thaw()
            assert await reading.heard.next_frame() == expected
            pair[0].freeze()


async def test_hanging_up_frees_a_waiting_sender() -> None:
    """The end of the link ends the wait of a sender."""
    left, _ = memory_pair(window=10)
    async with trio.open_nursery() as nursery:

        async def send_it() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await send(left, [b"1" * 20, b"2"])

        nursery.start_soon(send_it)
        await wait_all_tasks_blocked()
        left.abort()


async def test_the_wait_for_a_close_is_bounded(autojump_clock: MockClock) -> None:
    """A peer that does not answer a Close frame is cut off after 5 s."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right):
        pair[0].freeze()
        await left.transport.aclose(1001, "away")

        assert trio.current_time() == pytest.approx(5)
        assert await left.wait_ended() == CloseReason(1001, "away", remote=False)


async def test_a_cancelled_close_hangs_up(autojump_clock: MockClock) -> None:
    """A cancelled `aclose` hangs up at once."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right):
        pair[0].freeze()
        with trio.move_on_after(1):
            await left.transport.aclose(1001)

        assert trio.current_time() == pytest.approx(1)
        assert (await left.wait_ended()).code == 1001


async def test_nothing_is_heard_after_our_close() -> None:
    """A frame or a ping that crosses our Close frame is dropped."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right), trio.open_nursery() as nursery:
        pair[0].freeze()
        await send(right.transport, [b"late"])
        await send_ping(right.transport, b"late")
        nursery.start_soon(left.transport.aclose)
        await wait_all_tasks_blocked()
        pair[0].thaw()
        await left.wait_ended()

    assert not left.heard.has_frame()


async def test_frozen_link_tells_nobody() -> None:
    """On a frozen link nothing arrives, not even a pong or the end."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right):
        pair[0].freeze()
        await send_ping(left.transport, b"1")
        await send(right.transport, [b"2"])
        await wait_all_tasks_blocked()

        assert not left.heard.has_frame()

        pair[1].thaw()

        assert await left.heard.next_frame() == "2"
        assert await left.heard.next_pong() == b"1"


async def test_cut_ends_both() -> None:
    """`cut` ends both ends with 1006, and what was on its way is lost."""
    pair = memory_pair()
    left, right = ends(pair)
    async with running(left, right):
        pair[0].freeze()
        await send(left.transport, [b"lost"])
        pair[0].cut()

        assert (await left.wait_ended()).code == (await right.wait_ended()).code == 1006
        assert not right.heard.has_frame()


async def test_a_ping_on_a_full_link_ends_with_it() -> None:
    """A pong that waits for room is dropped when the link ends."""
    left, right = memory_pair(window=10)
    reading = End(right)
    async with running(reading):
        await send(right, [b"1" * 20])
        await send_ping(left, b"x")
        await wait_all_tasks_blocked()
        right.abort()

        assert (await reading.wait_ended()).code == 1006
