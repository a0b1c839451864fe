"""The order of callers who wait for a turn."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from farcall._connection.turns import Turns


class Peer:
    """Counts calls, and lets tests end them."""

    def __init__(self, most: float, most_bytes: float = math.inf) -> None:
        self.in_flight = self.bytes = 0
        self.called: list[str] = []
        self.turns = Turns(lambda: self.in_flight, lambda: self.bytes)
        self.turns.most = most
        self.turns.most_bytes = most_bytes

    async def call(self, name: str, size: int = 0) -> None:
        if self.turns.obstacle(size) is not None:
            async with self.turns.turn(size):
                pass
        self.in_flight += 1
        self.bytes += size
        self.called.append(name)
        self.turns.advance()

    def answer(self, size: int = 0) -> None:
        self.in_flight -= 1
        self.bytes -= size
        self.turns.advance()


async def test_callers_wait_in_order(nursery: trio.Nursery) -> None:
    """Each answer lets in the one who has waited longest."""
    peer = Peer(1)
    for name in "abc":
        nursery.start_soon(peer.call, name)
        await wait_all_tasks_blocked()
    assert (peer.called, len(peer.turns)) == (["a"], 2)

    peer.answer()
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b"]
    peer.answer()
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b", "c"]


async def test_callers_go_in_order_where_many_places_get_free(nursery: trio.Nursery) -> None:
    """Trio would run tasks that are woken together in any order."""
    peer = Peer(20)
    names = [str(number) for number in range(40)]
    for name in names:
        nursery.start_soon(peer.call, name)
        await wait_all_tasks_blocked()
    peer.in_flight = 0
    peer.turns.advance()
    await wait_all_tasks_blocked()
    assert peer.called == names


async def test_a_turn_that_was_given_is_taken_by_nobody_else(nursery: trio.Nursery) -> None:
    """Who comes between an answer and the task that it wakes, waits."""
    peer = Peer(1)
    await peer.call("a")
    nursery.start_soon(peer.call, "b")
    await wait_all_tasks_blocked()
    peer.answer()

    assert peer.turns.obstacle(0) == "calls"
    nursery.start_soon(peer.call, "c")
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b"]
    peer.answer()
    await wait_all_tasks_blocked()


async def test_who_is_cancelled_leaves_the_line(nursery: trio.Nursery) -> None:
    """Those behind move up."""
    peer = Peer(1)
    await peer.call("a")
    scope = trio.CancelScope()
    nursery.start_soon(_cancelled, scope, peer)
    await wait_all_tasks_blocked()
    nursery.start_soon(peer.call, "c")
    await wait_all_tasks_blocked()
    scope.cancel()
    await wait_all_tasks_blocked()
    assert len(peer.turns) == 1

    peer.answer()
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "c"]


async def _cancelled(scope: trio.CancelScope, peer: Peer) -> None:
    with scope:
        await peer.call("b")


async def test_a_turn_that_fails_goes_to_the_next(nursery: trio.Nursery) -> None:
    """A turn in which no call was made is not lost."""
    peer = Peer(1)
    await peer.call("a")

    async def fail() -> None:
        with pytest.raises(ValueError, match="no"):
            async with peer.turns.turn(0):
                raise ValueError("no")

    nursery.start_soon(fail)
    await wait_all_tasks_blocked()
    nursery.start_soon(peer.call, "b")
    await wait_all_tasks_blocked()
    peer.answer()
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b"]


async def test_the_end_lets_everybody_go(nursery: trio.Nursery) -> None:
    """Each is to see for itself that the link is no more."""
    peer = Peer(1)
    for name in "abc":
        nursery.start_soon(peer.call, name)
    await wait_all_tasks_blocked()
    peer.turns.end()
    await wait_all_tasks_blocked()
    assert len(peer.called) == 3


async def test_a_large_call_is_not_overtaken_by_small_ones(nursery: trio.Nursery) -> None:
    """What its parameters need gets free while those behind it wait as well."""
    peer = Peer(10, most_bytes=100)
    await peer.call("a", 60)
    await peer.call("b", 40)
    for name, size in (("large", 90), ("small", 5)):
        nursery.start_soon(peer.call, name, size)
        await wait_all_tasks_blocked()
    assert peer.turns.obstacle(0) == "call_bytes"

    peer.answer(60)
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b"]

    peer.answer(40)
    await wait_all_tasks_blocked()
    assert peer.called == ["a", "b", "large", "small"]
    assert [peer.turns.obstacle(size) for size in (5, 6)] == [None, "call_bytes"]


async def test_a_turn_that_was_given_counts_with_its_size(nursery: trio.Nursery) -> None:
    """Who comes before its call is made finds that much less room."""
    peer = Peer(10, most_bytes=100)
    await peer.call("a", 100)
    nursery.start_soon(peer.call, "b", 100)
    await wait_all_tasks_blocked()
    peer.answer(100)

    assert peer.turns.obstacle(1) == "call_bytes"
