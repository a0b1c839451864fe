"""Deadlines travel with calls, and end them on both sides."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, method, service
from farcall.testing import open_pair
from tests.ends import raw_client, raw_server


@service
class Slow:
    """A service that records how its handlers end."""

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
    """A handler runs under the deadline of its caller."""
    async with open_pair(Slow(), Slow) as (slow, _):
        with trio.fail_after(2):
            assert await slow.deadline() == 2
        assert await slow.deadline() == 1e6


async def test_a_deadline_ends_both_sides_at_once(autojump_clock: MockClock) -> None:
    """A deadline ends the caller and the handler at the same time."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, _):
        began = trio.current_time()
        with pytest.raises(trio.TooSlowError), trio.fail_after(2):
            await proxy.wait(10)

        assert trio.current_time() - began == 2
        await wait_all_tasks_blocked()
        assert slow.ended_at == [began + 2]


async def test_the_cap_of_the_server_is_a_deadline_of_its_own(autojump_clock: MockClock) -> None:
    """`max_call_seconds` ends a call with DeadlineExceeded before the caller's own deadline."""
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


async def test_a_call_without_a_deadline_has_none(autojump_clock: MockClock) -> None:
    """A call without a deadline runs without one."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, _):
        assert await proxy.wait(100) == "done"
        assert slow.left == [math.inf]


@service
class Chain:
    """One of several services in a row, each of which calls the next after a second."""

    def __init__(self, onward: Chain | None = None) -> None:
        self.onward = onward
        self.left: list[float] = []
        self.ended_at: float | None = None
        self.reason: str | None = None

    async def ask(self) -> None:
        self.left.append(current_call().deadline - trio.current_time())
        await trio.sleep(1)
        try:
            if self.onward is not None:
                await self.onward.ask()
            await trio.sleep_forever()
        finally:
            self.ended_at = trio.current_time()
            self.reason = current_call().cancel_reason


async def test_a_deadline_shrinks_from_service_to_service(autojump_clock: MockClock) -> None:
    """Each call in a chain inherits the time that is left, and all end together."""
    last = Chain()
    async with open_pair(last, Chain) as (to_last, _):
        middle = Chain(to_last)
        async with open_pair(middle, Chain) as (to_middle, _):
            first = Chain(to_middle)
            async with open_pair(first, Chain) as (to_first, _):
                began = trio.current_time()
                with trio.move_on_after(5):
                    await to_first.ask()
                await wait_all_tasks_blocked()

    assert [first.left, middle.left, last.left] == [[5], [4], [3]]
    assert first.ended_at == middle.ended_at == last.ended_at == began + 5
    assert first.reason == middle.reason == last.reason == "deadline"


async def test_no_caller_sees_the_servers_error_before_its_own(autojump_clock: MockClock) -> None:
    """The caller's deadline passes before the server's, because milliseconds are rounded up."""
    slow = Slow()
    async with open_pair(slow, Slow) as (proxy, _):
        began = trio.current_time()
        waits = [0.1 + number / 7_000 for number in range(900)]

        async def call(seconds: float) -> None:
            with trio.move_on_after(seconds) as scope:
                await proxy.wait(10)
            assert scope.cancelled_caught
            assert trio.current_time() == pytest.approx(began + seconds)

        async with trio.open_nursery() as nursery:
            for seconds in waits:
                nursery.start_soon(call, seconds)
    assert all(left >= wait - 1e-9 for left, wait in zip(sorted(slow.left), waits, strict=True))


async def test_a_deadline_that_was_moved_is_told_by_its_error(autojump_clock: MockClock) -> None:
    """A caller that moves its deadline gets DeadlineExceeded at the deadline that it sent."""
    async with open_pair(Slow(), Slow) as (slow, _):
        began = trio.current_time()
        with trio.move_on_after(2) as scope:
            async with trio.open_nursery() as nursery:

                async def call() -> None:
                    with pytest.raises(farcall.DeadlineExceeded) as caught:
                        await slow.wait(10)
                    assert caught.value.data == {"by": "caller"}

                nursery.start_soon(call)
                await trio.sleep(1)
                scope.deadline += 5
        assert trio.current_time() - began == 2
        assert not scope.cancelled_caught


async def test_a_call_out_of_time_is_not_begun() -> None:
    """A call that arrives without time left is refused and does not begin."""
    async with raw_client(Counting()) as client:
        await client.ask(HELLO)
        for name in ("Counting.later", "Counting.now"):
            meta = {"timeout": 0}
            (answer,) = await client.ask({"jsonrpc": "2.0", "id": 7, "method": name, "meta": meta})
            assert answer["error"]["code"] == -32002
            assert answer["error"]["data"] == {"by": "caller"}
    assert Counting.begun == []


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": {"v": 1, "limits": {}}}


@service
class Counting:
    """A service that records the calls it begins."""

    begun: ClassVar[list[str]] = []

    async def later(self) -> None:
        self.begun.append("later")

    def now(self) -> None:
        self.begun.append("now")


async def test_the_cap_of_the_server_ends_one_way_calls_too(autojump_clock: MockClock) -> None:
    """`max_call_seconds` ends one-way calls too."""
    idle = Idle()
    async with open_pair(idle, Idle, max_call_seconds=3) as (proxy, _):
        began = trio.current_time()
        await proxy.idle()
        await trio.sleep(10)
    assert idle.ended_at == began + 3


@service
class Idle:
    """A service whose only method never returns by itself."""

    ended_at = 0.0

    @method(oneway=True)
    async def idle(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ended_at = trio.current_time()


async def test_a_shield_keeps_a_deadline_from_travelling(autojump_clock: MockClock) -> None:
    """The deadline outside a shield does not travel with a call inside it."""
    async with open_pair(Slow(), Slow) as (slow, _):
        with trio.move_on_after(1), trio.CancelScope(shield=True):
            assert await slow.deadline() == 1e6
            assert await slow.wait(3) == "done"


async def test_a_call_that_waits_for_its_turn_runs_out_of_time(autojump_clock: MockClock) -> None:
    """A call that waits in an ordered queue ends at its deadline, and its handler never runs."""
    queue = Queue()
    async with open_pair(queue, Queue) as (proxy, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.turn)
            await wait_all_tasks_blocked()
            with trio.move_on_after(1) as scope:
                await proxy.turn()
            assert scope.cancelled_caught
            await wait_all_tasks_blocked()
            assert connection.statistics().calls_in == 1
    assert queue.turns == 1


@service
class Queue:
    """A service that takes one call at a time."""

    turns = 0

    @method(ordered=True)
    async def turn(self) -> None:
        self.turns += 1
        await trio.sleep(5)


async def test_a_peer_may_report_a_deadline_that_its_caller_has_not_set(
    autojump_clock: MockClock,
) -> None:
    """A caller without a deadline gets DeadlineExceeded from a peer that claims one."""
    async with raw_server() as (session, server):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.DeadlineExceeded):
                    await session.call("x")

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            error = {"code": -32002, "message": "late", "data": {"by": "caller"}}
            await server.send([msgspec.json.encode({"jsonrpc": "2.0", "id": 2, "error": error})])
