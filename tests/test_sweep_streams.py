"""The same sweep over what brings more than one result: streams, uploads and remote tasks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest
import trio
from trio.testing import MockClock

from farcall import service, stream
from farcall.testing import CancelledBy, Pair, cancel_sweep, open_pair

WAYS: tuple[CancelledBy, ...] = ("caller", "handlers", "server", "cut")


@service
class Flow:
    """Something of each kind."""

    @stream
    async def count(self, upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number
            await trio.sleep(0.1)

    async def total(self, numbers: AsyncIterable[int]) -> int:
        return sum([number async for number in numbers])

    @stream
    async def doubled(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield 2 * number

    async def run(self, *, task_status: trio.TaskStatus[int]) -> None:
        await trio.sleep(0.1)
        task_status.started(7)
        await trio.sleep(0.5)


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        yield number
        await trio.sleep(0.1)


async def read(pair: Pair[Flow]) -> None:
    """A stream that is read to its end."""
    async with pair.client.count(3) as values:
        assert [value async for value in values] == [0, 1, 2]


async def leave(pair: Pair[Flow]) -> None:
    """A stream that is left early."""
    async with pair.client.count(1000) as values:
        assert await anext(values) == 0


async def upload(pair: Pair[Flow]) -> None:
    """A call that takes a stream along."""
    assert await pair.client.total(numbers()) == 3


async def both_ways(pair: Pair[Flow]) -> None:
    """A stream that answers one."""
    async with pair.client.doubled(numbers()) as values:
        assert [value async for value in values] == [0, 2, 4]


async def task(pair: Pair[Flow]) -> None:
    """A remote task that starts, and runs to its end."""
    async with trio.open_nursery() as nursery:
        assert await nursery.start(pair.client.run) == 7


Scenario: TypeAlias = Callable[[Pair[Flow]], Awaitable[None]]
SCENARIOS: tuple[Scenario, ...] = (read, leave, upload, both_ways, task)


def open_flow() -> AbstractAsyncContextManager[Pair[Flow]]:
    return open_pair(Flow(), Flow)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_nothing_is_left(
    scenario: Scenario, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Of what was carried, at either end."""
    await cancel_sweep(open_flow, scenario, by=by)
