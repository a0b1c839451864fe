"""Streams and uploads that end by errors, early, or all at once."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import attrs
import trio

from farcall import ApplicationError, service, stream
from farcall.testing import Pair, open_pair
from tests.sweeps.flows import numbers
from tests.sweeps.sweep import Sweep


@attrs.define
class Dry(ApplicationError):
    """The error that ends a stream."""

    after: int


class Broken(Exception):
    """The error of the caller's iterable."""


@service
class Brook:
    """A service of streams and uploads."""

    @stream(raises=[Dry])
    async def drip(self, drops: int) -> AsyncIterator[int]:
        """Fail after some items."""
        for drop in range(drops):
            yield drop
            await trio.sleep(0.1)
        raise Dry(drops)

    @stream
    async def gush(self, count: int) -> AsyncIterator[bytes]:
        """Yield items as fast as they are read."""
        for _ in range(count):
            yield bytes(1000)

    @stream
    async def doubled(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield 2 * number

    async def weigh(self, numbers: AsyncIterable[int], blobs: AsyncIterable[bytes]) -> int:
        return sum([n async for n in numbers]) + sum([len(blob) async for blob in blobs])

    async def first(self, numbers: AsyncIterable[int]) -> int:
        """Return the first number and leave the rest."""
        async for number in numbers:
            return number
        return -1


async def blobs() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield bytes(1000)


async def broken() -> AsyncIterator[int]:
    yield 1
    raise Broken


async def fail(pair: Pair[Brook]) -> None:
    """A stream that fails after its items."""
    with suppress(Dry):
        async with pair.client.drip(2) as drops:
            assert [drop async for drop in drops] == [0, 1]
            raise AssertionError("it ends by an error")


async def gush(pair: Pair[Brook]) -> None:
    """A stream of more items than its window; the reader gets all of them or an error."""
    async with pair.client.gush(40) as values:
        assert len([value async for value in values]) == 40


async def leave_both_ways(pair: Pair[Brook]) -> None:
    """A stream that is left while its upload goes on."""
    async with pair.client.doubled(numbers()) as values:
        assert await anext(values) == 0


async def two_uploads(pair: Pair[Brook]) -> None:
    """A call with two uploads, one of them in binary frames."""
    assert await pair.client.weigh(numbers(), blobs()) == 3003


async def broken_upload(pair: Pair[Brook]) -> None:
    """An upload whose iterable fails."""
    with suppress(Broken):
        await pair.client.weigh(broken(), blobs())


async def upload_half_read(pair: Pair[Brook]) -> None:
    """An upload that its handler does not read to the end."""
    assert await pair.client.first(numbers()) == 0


def open_brook(**options: Any) -> AbstractAsyncContextManager[Pair[Brook]]:
    """Serve a brook."""
    return open_pair(Brook(), Brook, **options)


ENDINGS = [
    Sweep("endings", scenario, open_brook, tolerate=(Broken,))
    for scenario in (fail, gush, leave_both_ways, two_uploads, broken_upload, upload_half_read)
]
ARRAYS = [
    Sweep("arrays", scenario, functools.partial(open_brook, dialect="plain"), tolerate=(Broken,))
    for scenario in (gush, two_uploads, broken_upload)
]
"""The same traffic with a plain peer, which sends and gets arrays."""
