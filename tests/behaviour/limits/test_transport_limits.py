"""Limits of transports, each tested at and above the limit, in memory and over WebSocket.

Times are tested in memory with virtual time and the defaults, and over WebSocket with short ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock

from farcall import Limits
from farcall.testing import memory_pair
from tests.ends import KINDS, Kind
from tests.inside import CloseReason, Transport
from tests.patience import PATIENCE
from tests.unit.transport import test_memory
from tests.unit.transport.suite import End, Maker, Recorder, open_ends, running, send, send_ping
from tests.unit.transport.websocket import sockets

MAKERS: Mapping[Kind, Maker] = {"memory": test_memory.open_pair, "websocket": sockets.open_pair}

on_both = pytest.mark.parametrize("kind", KINDS)

SLOWLY = 0.001
"""Pings a second: so few that the allowance does not grow during a test."""


async def ping(end: End, count: int) -> None:
    """Send pings, and wait for the pong of each."""
    for number in range(count):
        await send_ping(end.transport, b"%d" % number)
    for number in range(count):
        assert await end.heard.next_pong() == b"%d" % number


@on_both
async def test_limit_ping_burst(kind: Kind) -> None:
    """A ping over `ping_burst` closes the link with 1008."""
    limits = Limits(pings_per_second=SLOWLY)
    async with open_ends(MAKERS[kind], limits=limits) as (left, right):
        await ping(left, 60)
        await send(left.transport, [b"still here"])
        assert await right.heard.next_frame() == "still here"

        await send_ping(left.transport, b"one too many")

        problem = (
            "more than 60 pings at once, or 0.001 a second"
            " (the limits ping_burst and pings_per_second)"
        )
        assert await left.wait_ended() == CloseReason(1008, problem, remote=True)
        assert await right.wait_ended() == CloseReason(1008, problem, remote=False)
        assert not left.heard.has_pong()


@on_both
async def test_limit_ping_burst_in_a_client(kind: Kind) -> None:
    """A client closes the link after a ping over `ping_burst` too."""
    limits = Limits(ping_burst=1, pings_per_second=SLOWLY)
    async with open_ends(MAKERS[kind], limits=limits) as (_, right):
        await ping(right, 1)
        await send_ping(right.transport, b"one too many")

        assert (await right.wait_ended()).code == 1008
        assert not right.heard.has_pong()


async def test_limit_pings_per_second(autojump_clock: MockClock) -> None:
    """After a burst, `pings_per_second` are answered; one that is too early closes the link."""
    async with open_ends(test_memory.open_pair, limits=Limits(pings_per_second=8)) as (left, _):
        await ping(left, 60)
        for _ in range(100):
            await trio.sleep(1 / 8)
            await ping(left, 1)
        await trio.sleep(1 / 16)
        await send_ping(left.transport, b"too soon")

        assert (await left.wait_ended()).code == 1008


async def test_limit_pings_per_second_over_websocket(running_clock: MockClock) -> None:
    """The allowance of pings grows again over WebSocket too."""
    limits = Limits(ping_burst=1, pings_per_second=1)
    async with open_ends(sockets.open_pair, limits=limits) as (left, _):
        for _ in range(5):
            await ping(left, 1)
            running_clock.jump(1)


async def send_much(transport: Transport) -> None:
    """Send until the transport fails."""
    while True:
        await send(transport, [b"x" * 1_000_000])


async def test_limit_stall_seconds(autojump_clock: MockClock) -> None:
    """A peer that takes no byte for `stall_seconds` is disconnected with 1013."""
    left, right = memory_pair(window=10)
    right.stop_reading()
    reading = End(right)
    async with running(reading), trio.open_nursery() as nursery:
        nursery.start_soon(send, left, [b"1" * 20, b"2" * 20])
        await trio.sleep(9.5)
        right.go_on_reading()
        assert await reading.heard.next_frame() == "1" * 20
        assert await reading.heard.next_frame() == "2" * 20

        right.stop_reading()
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match="the limit stall_seconds"):
            await send(left, [b"1" * 20, b"2" * 20])

        assert trio.current_time() - began == 10
        problem = "no byte was taken for 10 s (the limit stall_seconds)"
        assert await left.run(Recorder()) == CloseReason(1013, problem, remote=False)


async def test_limit_stall_seconds_over_websocket() -> None:
    """A WebSocket peer that takes no byte is disconnected in the middle of a frame."""
    limits = Limits(stall_seconds=0.05)
    async with sockets.open_raw_client(limits) as (_, server):
        with trio.fail_after(PATIENCE):
            with pytest.raises(trio.BrokenResourceError, match="the limit stall_seconds"):
                await send_much(server)
            assert (await server.run(Recorder())).code == 1013


async def test_limit_close_seconds(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A peer that does not answer a Close within `close_seconds` is disconnected."""
    caplog.set_level(logging.DEBUG, "farcall.transport")
    for seconds, is_late in ((4.9, False), (5.1, True)):
        left, right = memory_pair()
        right.freeze()
        here, there = End(left), End(right)
        async with running(here, there), trio.open_nursery() as nursery:
            began = trio.current_time()
            nursery.start_soon(left.aclose, 1001)
            await trio.sleep(seconds)
            assert (here.has_ended, "the limit close_seconds" in caplog.text) == (is_late, is_late)
            right.thaw()
            assert (await there.wait_ended()).code == 1001
            await here.wait_ended()
        assert trio.current_time() - began == seconds


async def test_limit_close_seconds_over_websocket(caplog: pytest.LogCaptureFixture) -> None:
    """A WebSocket peer that does not answer a Close in time is disconnected."""
    caplog.set_level(logging.DEBUG, "farcall.transport")
    limits = Limits(close_seconds=0.05)
    async with sockets.open_raw_client(limits) as (raw, server):
        end = End(server)
        async with running(end):
            await server.aclose(1001)
            assert await raw.read_to_end() == sockets.close_frame(1001, masked=False)
        assert "no answer to a Close in 0.05 s (the limit close_seconds)" in caplog.text
