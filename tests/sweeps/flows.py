"""Streams, uploads and remote tasks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from farcall import current_call, service, stream
from farcall.testing import Pair, open_pair
from tests.sweeps.sweep import Sweep


@service
class Counter:
    """The service of the client."""

    @stream
    async def count(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number
            await trio.sleep(0.1)


@service
class Flow:
    """The service of the server, with streams, uploads and a task."""

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

    async def total_back(self) -> int:
        async with current_call().connection.proxy(Counter).count() as values:
            return sum([value async for value in values])


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
    """A call with an upload."""
    assert await pair.client.total(numbers()) == 3


async def both_ways(pair: Pair[Flow]) -> None:
    """A stream with an upload."""
    async with pair.client.doubled(numbers()) as values:
        assert [value async for value in values] == [0, 2, 4]


async def task(pair: Pair[Flow]) -> None:
    """A remote task that starts and ends by itself."""
    async with trio.open_nursery() as nursery:
        assert await nursery.start(pair.client.run) == 7


async def task_in_time(pair: Pair[Flow]) -> None:
    """A remote task that starts before a deadline and runs on after it."""
    async with trio.open_nursery() as nursery:
        with trio.fail_after(0.3):
            assert await nursery.start(pair.client.run) == 7


async def task_too_late(pair: Pair[Flow]) -> None:
    """A remote task that has no time to start."""
    with trio.move_on_after(0.05):
        async with trio.open_nursery() as nursery:
            await nursery.start(pair.client.run)


async def read_back(pair: Pair[Flow]) -> None:
    """A call back that streams."""
    assert await pair.client.total_back() == 3


def open_flow(**options: Any) -> AbstractAsyncContextManager[Pair[Flow]]:
    """Serve on both sides."""
    return open_pair(Flow(), Flow, serves=[Counter()], **options)


FLOWS = [
    Sweep("flows", scenario, open_flow)
    for scenario in (
        read,
        leave,
        upload,
        both_ways,
        read_back,
        task,
        task_in_time,
        task_too_late,
    )
]
