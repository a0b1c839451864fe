"""Deadlines travel with calls, and end on both sides as they do in local code."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, service
from farcall.testing import open_pair


@service
class Slow:
    """Tells how its handlers ended."""

    def __init__(self) -> None:
        self.left: list[float] = []
        self.ended_at: list[float] = []
        self.reasons: list[str | None] = []

    async def wait(self, seconds: float) -> str:
        self.left.append(trio.current_effective_deadline() - trio.current_time())
        try:
            await trio.sleep(seconds)
        finally:
            self.ended_at.append(trio.current_time())
            self.reasons.append(current_call().cancel_reason)
        return "done"

    async def deadline(self) -> float:
        return min(current_call().deadline - trio.current_time(), 1e6)


async def test_the_handler_runs_under_the_deadline_of_its_caller(autojump_clock: MockClock) -> None:
    """A plain fail_after is all it takes."""
    async with open_pair(Slow(), Slow) as (slow, _):
        with trio.fail_after(2):
            assert await slow.deadline() == 2
        assert await slow.deadline() == 1e6


async def test_a_deadline_ends_both_sides_at_once(autojump_clock: MockClock) -> None:
    """The caller sees what it would see of local code, the handler is cancelled."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, _):
        began = trio.current_time()
        with pytest.raises(trio.TooSlowError), trio.fail_after(2):
            await proxy.wait(10)

        assert trio.current_time() - began == 2
        await wait_all_tasks_blocked()
        assert slow.ended_at == [began + 2]


async def test_the_cap_of_the_server_is_a_deadline_of_its_own(autojump_clock: MockClock) -> None:
    """Its callers get DeadlineExceeded, at once, for their own time is not over."""
    slow = Slow()
    async with open_pair(slow, Slow, max_call_seconds=1) as (proxy, _):
        began = trio.current_time()
        with trio.fail_after(5), pytest.raises(farcall.DeadlineExceeded) as caught:
            await proxy.wait(10)

        assert caught.value.data == {"by": "server"}
        assert trio.current_time() - began == 1
        assert slow.left == [1]
        with trio.fail_after(0.5):
            await proxy.wait(0.25)
        assert slow.left == [1, 0.5]


async def test_a_call_whose_time_runs_out_in_the_queue_is_withdrawn(
    autojump_clock: MockClock,
) -> None:
    """The peer never hears of it, and the caller's own scope ends it."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, connection):
        transport = connection._link._transport
        transport.freeze()  # type: ignore[attr-defined]
        with trio.move_on_after(1) as scope:
            await proxy.wait(10)

        assert scope.cancelled_caught
        transport.thaw()  # type: ignore[attr-defined]


async def test_no_deadline_is_none(autojump_clock: MockClock) -> None:
    """There is no default: a dead peer is found by the heartbeat."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, _):
        assert await proxy.wait(100) == "done"
        assert slow.left == [math.inf]
