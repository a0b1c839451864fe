"""The cancel sweep finds everything that is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from farcall import Signal, service
from farcall._nursery import open_owned_nursery
from farcall.testing import CancelSweepError, Pair, cancel_sweep, open_pair


@service
class Shop:
    """Its methods leave nothing behind, but for `cling`."""

    sold: Signal[str] = Signal()

    def __init__(self) -> None:
        self.left = 0

    async def buy(self, name: str) -> str:
        await trio.sleep(1)
        return name

    async def cling(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(30)


def open_shop() -> Any:
    return open_pair(Shop(), Shop)


async def buy(pair: Pair[Shop]) -> None:
    assert await pair.client.buy("a") == "a"


async def test_a_sweep_ends_when_the_scenario_does(autojump_clock: MockClock) -> None:
    """There is one cancelled run for each step."""
    report = await cancel_sweep(open_shop, buy)

    assert report.runs == report.steps + 1
    assert report.steps >= 5


async def test_a_sweep_can_be_repeated(autojump_clock: MockClock) -> None:
    """The same seed gives the same order of tasks."""
    assert await cancel_sweep(open_shop, buy, seed=3) == await cancel_sweep(open_shop, buy, seed=3)


async def test_a_handler_that_is_left_is_found(autojump_clock: MockClock) -> None:
    """The error names what was left, on which side, and the step."""
    with pytest.raises(CancelSweepError) as caught:
        await cancel_sweep(open_shop, lambda pair: pair.client.cling(), again=buy)

    message = str(caught.value)
    assert "server: calls in (1)" in message
    assert "server: handlers (1)" in message
    assert "client: calls out (1)" in message
    assert "cancelled (caller) after step" in message
    assert "in cling" in message


async def test_a_task_that_is_left_is_found(autojump_clock: MockClock) -> None:
    """The error has the stack of the task."""

    @asynccontextmanager
    async def open_nursery() -> AsyncIterator[trio.Nursery]:
        async with open_owned_nursery() as nursery:
            yield nursery
            nursery.cancel_scope.cancel()

    async def forget_a_task(nursery: trio.Nursery) -> None:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep(1)

    with pytest.raises(CancelSweepError, match="1 tasks") as caught:
        await cancel_sweep(open_nursery, forget_a_task)

    assert "in sleep_forever" in str(caught.value)


async def test_a_subscriber_that_is_left_is_found(autojump_clock: MockClock) -> None:
    """A subscriber of a signal without a link is found."""

    @asynccontextmanager
    async def open_stack() -> AsyncIterator[tuple[Shop, AsyncExitStack]]:
        shop = Shop()
        async with AsyncExitStack() as stack, open_pair(shop, Shop):
            yield shop, stack

    async def subscribe(environment: tuple[Shop, AsyncExitStack]) -> None:
        shop, stack = environment
        await stack.enter_async_context(shop.sold.subscribe())
        await trio.sleep(1)

    with pytest.raises(CancelSweepError, match=r"subscribers of Shop.sold \(1\)"):
        await cancel_sweep(open_stack, subscribe)


@pytest.mark.parametrize("what", ["bytes held", "calls in the budget"])
async def test_a_count_that_is_not_given_back_is_found(
    what: str, autojump_clock: MockClock
) -> None:
    """A quota that is not released is found, though no task or table has it."""

    async def keep(pair: Pair[Shop]) -> None:
        link: Any = pair.connection._link
        match what:
            case "bytes held":
                link.account.charge(7)
            case _:
                link.handler._quota.take(7)
        await pair.client.buy("a")

    with pytest.raises(CancelSweepError, match=f"server: {what}"):
        await cancel_sweep(open_shop, keep, again=buy)


async def test_what_hangs_is_found(autojump_clock: MockClock) -> None:
    """A run that hangs is an error, rather than waited for."""

    async def hang(_: object) -> None:
        await trio.sleep_forever()

    with pytest.raises(CancelSweepError, match="it has not ended in 5 s"):
        await cancel_sweep(open_shop, hang, by="handlers", scenario_seconds=5)


async def test_a_link_that_ends_with_a_call_is_found(autojump_clock: MockClock) -> None:
    """A link that ends because a call was cancelled is an error."""

    async def close_when_cancelled(pair: Pair[Shop]) -> None:
        try:
            await pair.client.buy("a")
        except trio.Cancelled:
            pair.connection._link.abort(1011, "in a rage")
            raise

    with pytest.raises(CancelSweepError, match="the link ended as well"):
        await cancel_sweep(open_shop, close_when_cancelled)


async def test_steps_without_end_are_found(autojump_clock: MockClock) -> None:
    """A scenario with too many steps is an error."""

    async def work(_: object) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with pytest.raises(CancelSweepError, match="more than 7 steps"):
        await cancel_sweep(open_shop, work, again=buy, max_steps=7)


async def test_what_works_no_more_is_found(autojump_clock: MockClock) -> None:
    """After each run the scenario, or `again`, must succeed."""

    async def once(pair: Pair[Shop]) -> None:
        if pair.connection.data:
            raise ValueError("no more")
        pair.connection.data["was here"] = True
        await trio.sleep(1)

    with pytest.raises(ValueError, match="no more"):
        await cancel_sweep(open_shop, once)
    await cancel_sweep(open_shop, once, again=buy)


async def test_an_error_nobody_expects_comes_out(autojump_clock: MockClock) -> None:
    """An exception that is not in `tolerate` is raised."""

    async def turn(_: object) -> None:
        try:
            await trio.sleep(1)
        except trio.Cancelled:
            raise KeyError("turned") from None

    with pytest.raises(KeyError, match="turned"):
        await cancel_sweep(open_shop, turn)
    await cancel_sweep(open_shop, turn, tolerate=(KeyError,))


async def test_a_fault_in_the_users_own_way_comes_out(autojump_clock: MockClock) -> None:
    """An exception of the user's function is raised, where Trio would only log it."""

    def fail(pair: Pair[Shop]) -> None:
        raise KeyError("in the way")

    with pytest.raises(KeyError, match="in the way"):
        await cancel_sweep(open_shop, buy, by=fail)


async def test_the_users_own_way_may_close_what_a_task_waits_for(
    autojump_clock: MockClock,
) -> None:
    """The user's function may close a socket that the task of the step waits for."""

    @asynccontextmanager
    async def open_sockets() -> AsyncIterator[trio.socket.SocketType]:
        near, far = trio.socket.socketpair()
        with near, far:
            yield near

    async def read(near: trio.socket.SocketType) -> None:
        with trio.move_on_after(0.01):
            await near.recv(1)

    async def nothing(_: object) -> None:
        await trio.lowlevel.checkpoint()

    tolerate = (trio.ClosedResourceError,)
    report = await cancel_sweep(
        open_sockets, read, by=lambda near: near.close(), again=nothing, tolerate=tolerate
    )

    assert report.runs > 1
