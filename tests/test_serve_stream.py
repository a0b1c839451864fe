"""Streams while they are served: the generator, and who ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import service, stream
from farcall.testing import open_pair

MANY = 100_000
"""Where a generator that cannot be ended stops all the same."""


@service
class Numbers:
    def __init__(self) -> None:
        self.given = 0

    async def told(self) -> int:
        """Tell how many were given."""
        return self.given

    @stream
    async def count(self) -> AsyncIterator[int]:
        """Wait for nothing but the reader."""
        while self.given < MANY:
            self.given += 1
            yield self.given


async def test_a_generator_that_waits_for_nothing_ends_with_its_stream(
    autojump_clock: MockClock,
) -> None:
    """There is a point of cancellation at each item, or it would hold up everybody for ever."""
    numbers = Numbers()
    async with open_pair(numbers, Numbers) as (proxy, connection), trio.open_nursery() as nursery:
        transport: Any = connection._link._transport
        async with proxy.count() as items:
            await wait_all_tasks_blocked()
            transport.freeze()
            for _ in range(20):  # worth credit, which wakes the generator; the cancel is behind it
                await anext(items)
            await wait_all_tasks_blocked()
            nursery.start_soon(thaw_soon, transport)

        assert numbers.given < 100


async def thaw_soon(transport: Any) -> None:
    await trio.sleep(0.1)
    transport.thaw()


async def test_a_generator_that_waits_for_nothing_holds_up_nobody_while_an_array_is_made(
    autojump_clock: MockClock,
) -> None:
    """A plain peer gets all items at once; others are served before they are all there."""
    numbers = Numbers()
    async with (
        open_pair(numbers, dialect="plain") as (session, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_enter, session.stream("Numbers.count"))
        await wait_until(lambda: numbers.given > 10)

        assert await session.call("Numbers.told") < MANY
        nursery.cancel_scope.cancel()


async def _enter(stream: AbstractAsyncContextManager[AsyncIterator[int]]) -> None:
    async with stream:
        pass


async def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()
