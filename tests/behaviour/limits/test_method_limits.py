"""The limits of one method: `max_seconds` and `max_concurrent`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import Busy, DeadlineExceeded, method, service, stream
from farcall.testing import open_pair
from tests.ends import wait_until


@service
class Kitchen:
    """A kitchen with a small stove."""

    def __init__(self) -> None:
        self.cooked = 0

    @method(max_seconds=2)
    async def boil(self, seconds: float) -> None:
        """Boil for so long."""
        await trio.sleep(seconds)

    @method(max_concurrent=2)
    async def cook(self, seconds: float) -> None:
        """Cook for so long."""
        self.cooked += 1
        await trio.sleep(seconds)

    @method(max_concurrent=1, oneway=True)
    async def ring(self) -> None:
        """Ring the bell for a second."""
        self.cooked += 1
        await trio.sleep(1)

    @stream(max_concurrent=1)
    async def smell(self) -> AsyncIterator[int]:
        """Send a smell each second."""
        while True:
            yield 1
            await trio.sleep(1)


async def test_a_call_ends_after_max_seconds(autojump_clock: MockClock) -> None:
    """A call that takes longer than `max_seconds` is cancelled by the server."""
    async with open_pair(Kitchen(), Kitchen) as (kitchen, _):
        await kitchen.boil(1.9)
        began = trio.current_time()
        with pytest.raises(DeadlineExceeded):
            await kitchen.boil(10)
        assert trio.current_time() - began == pytest.approx(2)


@pytest.mark.parametrize(("server", "seconds"), [(1.0, 1.0), (5.0, 2.0)])
async def test_max_seconds_only_shortens(
    autojump_clock: MockClock, server: float, seconds: float
) -> None:
    """The shorter of `max_seconds` and `max_call_seconds` holds."""
    async with open_pair(Kitchen(), Kitchen, max_call_seconds=server) as (kitchen, _):
        began = trio.current_time()
        with pytest.raises(DeadlineExceeded):
            await kitchen.boil(10)
        assert trio.current_time() - began == pytest.approx(seconds)


async def test_a_shorter_deadline_of_the_caller_holds(autojump_clock: MockClock) -> None:
    """A caller that waits less than `max_seconds` gets its own timeout."""
    async with open_pair(Kitchen(), Kitchen) as (kitchen, _):
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await kitchen.boil(10)


async def test_limit_max_concurrent(autojump_clock: MockClock) -> None:
    """A call over `max_concurrent` is refused with `Busy`; one that ends makes room."""
    async with open_pair(Kitchen(), Kitchen) as (kitchen, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kitchen.cook, 1)
            nursery.start_soon(kitchen.cook, 2)
            await trio.sleep(0.5)
            with pytest.raises(Busy) as caught:
                await kitchen.cook(1)
            assert caught.value.data == {"limit": "max_concurrent", "retry_after_ms": 100}
            assert not caught.value.may_have_run
            await kitchen.boil(0)  # other methods have their own limits
            await trio.sleep(1)
            await kitchen.cook(0)


async def test_max_concurrent_counts_the_calls_of_all_peers() -> None:
    """The calls of one method are counted over all connections of a server."""
    kitchen = Kitchen()
    async with (
        farcall.open_server(kitchen, 0) as server,
        farcall.connect(server.url, Kitchen) as first,
        farcall.connect(server.url, Kitchen) as second,
        trio.open_nursery() as calls,
    ):
        calls.start_soon(first.cook, 60)
        calls.start_soon(second.cook, 60)
        await wait_until(lambda: kitchen.cooked == 2)
        with pytest.raises(Busy):
            await first.cook(60)
        calls.cancel_scope.cancel()


async def test_a_call_that_fails_or_is_cancelled_makes_room(autojump_clock: MockClock) -> None:
    """A cancelled call, and those of a connection that breaks, no longer count."""
    async with open_pair(Kitchen(), Kitchen) as (kitchen, _):
        for _ in range(3):
            with trio.move_on_after(0.1):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(kitchen.cook, 5)
                    nursery.start_soon(kitchen.cook, 5)
            await trio.sleep(0.1)
        await kitchen.cook(0)


async def test_streams_count_while_they_are_open(autojump_clock: MockClock) -> None:
    """A stream counts until its caller leaves it."""
    async with open_pair(Kitchen(), Kitchen) as (kitchen, _):
        async with kitchen.smell() as smells:
            await anext(smells)
            with pytest.raises(Busy):
                async with kitchen.smell() as others:
                    await anext(others)
        await trio.sleep(0.1)
        async with kitchen.smell() as smells:
            assert await anext(smells) == 1


async def test_one_way_calls_over_it_are_dropped(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A one-way call over `max_concurrent` is dropped, and logged."""
    kitchen = Kitchen()
    with caplog.at_level(logging.WARNING, "farcall"):
        async with open_pair(kitchen, Kitchen) as (proxy, _):
            for _ in range(3):
                await proxy.ring()
            await trio.sleep(2)
    assert kitchen.cooked == 1
    assert "the limit max_concurrent" in caplog.text


WRONG: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"max_seconds": 0}, ValueError),
    ({"max_seconds": float("inf")}, ValueError),
    ({"max_seconds": "2"}, TypeError),
    ({"max_concurrent": 0}, ValueError),
    ({"max_concurrent": 1.5}, TypeError),
    ({"max_concurrent": True}, TypeError),
]


@pytest.mark.parametrize(("options", "error"), WRONG)
def test_a_wrong_limit_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    """A limit that makes no sense is refused where it is written, by its name."""
    (name,) = options
    with pytest.raises(error, match=f"^{name}="):
        method(**options)
