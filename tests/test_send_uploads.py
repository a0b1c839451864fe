"""The caller's half of uploads: what becomes of the iterables that are among the arguments."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from farcall import EncodeError, Limits, RpcError, service, stream
from farcall.testing import open_pair

T = TypeVar("T")


@service
class Drain:
    async def blobs(self, blobs: AsyncIterable[bytes]) -> int:
        return sum([len(blob) async for blob in blobs])

    async def texts(self, texts: AsyncIterable[str]) -> int:
        return sum([len(text) async for text in texts])

    async def early(self, numbers: AsyncIterable[int]) -> str:
        """Take one."""
        async for _ in numbers:
            break
        return "enough"

    async def refuse(self, numbers: AsyncIterable[int]) -> None:
        await self.early(numbers)
        raise RpcError(7, "no")

    @stream
    async def echo(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number

    @stream
    async def first(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        yield await anext(aiter(numbers))


async def each(values: Iterable[T]) -> AsyncIterator[T]:
    for value in values:
        yield value


async def test_items_are_joined_as_far_as_the_peer_takes_them(autojump_clock: MockClock) -> None:
    """More of them leave together to a peer that takes larger messages."""
    async with open_pair(Drain(), Drain, limits=Limits(message=2048)) as (drain, _):
        assert await drain.texts(each(["x" * 400] * 100)) == 40_000
        assert await drain.blobs(each([b"x" * 400] * 100)) == 40_000


@pytest.mark.parametrize("kind", ["texts", "blobs"])
async def test_an_item_passes_whole_or_fails_in_the_caller(
    kind: str, autojump_clock: MockClock
) -> None:
    """Whatever its size and its number are; the link lives."""
    limit = 1024
    x: dict[str, str | bytes] = {"texts": "x", "blobs": b"x"}
    refusals: list[EncodeError] = []
    async with open_pair(Drain(), Drain, limits=Limits(message=limit)) as (drain, _):
        for size in range(limit - 200, limit):
            try:
                count = await getattr(drain, kind)(each([x[kind]] * 11 + [x[kind] * size]))
            except EncodeError as error:
                refusals.append(error)
            else:
                assert count == 11 + size
    assert 0 < len(refusals) < 200
    assert f"(its limit message) @ params.{kind}[11]" in str(refusals[0])


async def spoilt() -> AsyncIterator[int]:
    """Be not able to clean up."""
    try:
        while True:
            yield 1
            await trio.sleep(1)
    finally:
        raise OSError("no space left")


@pytest.mark.parametrize("kind", ["early", "refuse"])
async def test_an_error_of_cleaning_up_is_raised(kind: str, autojump_clock: MockClock) -> None:
    """As it is by local code, whatever became of the call."""
    async with open_pair(Drain(), Drain) as (drain, connection):
        with pytest.raises(OSError, match="no space left"):
            await getattr(drain, kind)(spoilt())

        assert connection.statistics().calls_in == 0
        assert await drain.early(each([1])) == "enough"


async def test_an_error_of_cleaning_up_is_raised_in_place_of_a_cancellation(
    autojump_clock: MockClock,
) -> None:
    """As by any ``finally``."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left"), trio.move_on_after(5) as scope:
            async with drain.echo(spoilt()):
                await trio.sleep_forever()

    assert scope.cancel_called


async def test_an_error_of_cleaning_up_is_raised_behind_the_block(
    autojump_clock: MockClock,
) -> None:
    """It does not disturb the block of a stream that has ended well."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left"):
            async with drain.first(spoilt()):
                await trio.sleep(5)

        assert trio.current_time() == 5


async def test_an_error_of_cleaning_up_stands_beside_that_of_the_block(
    autojump_clock: MockClock,
) -> None:
    """The traceback shows both."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left") as caught:
            async with drain.echo(spoilt()):
                raise LookupError

    assert isinstance(caught.value.__context__, LookupError)
    assert not caught.value.__suppress_context__
