"""The caller's half of uploads: what becomes of the iterables that are among the arguments."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import pytest
import trio
from trio.testing import MockClock

from farcall import EncodeError, Limits, RpcError, service, stream
from farcall._client.options import Dialect
from farcall.testing import open_pair

T = TypeVar("T")


@attrs.frozen
class Trade:
    symbol: str
    prices: tuple[Decimal, ...] = ()


@service
class Drain:
    async def blobs(self, blobs: AsyncIterable[bytes]) -> int:
        return sum([len(blob) async for blob in blobs])

    async def texts(self, texts: AsyncIterable[str]) -> int:
        return sum([len(text) async for text in texts])

    async def all_of(
        self, trades: AsyncIterable[Trade], numbers: AsyncIterable[int], *, note: str = ""
    ) -> str:
        """Tell what has come."""
        took = [trade async for trade in trades], [number async for number in numbers]
        return f"{took} {note}"

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
    """A peer that takes larger messages gets more items in one message."""
    async with open_pair(Drain(), Drain, limits=Limits(message=2048)) as (drain, _):
        assert await drain.texts(each(["x" * 400] * 100)) == 40_000
        assert await drain.blobs(each([b"x" * 400] * 100)) == 40_000


@pytest.mark.parametrize("kind", ["texts", "blobs"])
async def test_an_item_passes_whole_or_fails_in_the_caller(
    kind: str, autojump_clock: MockClock
) -> None:
    """An item that is too large raises EncodeError in the caller; the link lives."""
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
    """An error in an iterable's `finally` is raised, whatever the outcome of the call."""
    async with open_pair(Drain(), Drain) as (drain, connection):
        with pytest.raises(OSError, match="no space left"):
            await getattr(drain, kind)(spoilt())

        assert connection.statistics().calls_in == 0
        assert await drain.early(each([1])) == "enough"


async def test_an_error_of_cleaning_up_is_raised_in_place_of_a_cancellation(
    autojump_clock: MockClock,
) -> None:
    """An error in a `finally` replaces the cancellation, as in local code."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left"), trio.move_on_after(5) as scope:
            async with drain.echo(spoilt()):
                await trio.sleep_forever()

    assert scope.cancel_called


async def test_an_error_of_cleaning_up_is_raised_after_the_block(
    autojump_clock: MockClock,
) -> None:
    """An iterable's error after the stream's end does not disturb the block."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left"):
            async with drain.first(spoilt()):
                await trio.sleep(5)

        assert trio.current_time() == 5


async def test_an_error_of_cleaning_up_stands_beside_that_of_the_block(
    autojump_clock: MockClock,
) -> None:
    """The traceback shows the error of the block and that of the iterable."""
    async with open_pair(Drain(), Drain) as (drain, _):
        with pytest.raises(OSError, match="no space left") as caught:
            async with drain.echo(spoilt()):
                raise LookupError

    assert isinstance(caught.value.__context__, LookupError)
    assert not caught.value.__suppress_context__


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_uploads_stand_beside_other_arguments(
    dialect: Dialect, autojump_clock: MockClock
) -> None:
    """A plain peer gets an array for each upload."""
    trades = [Trade("A", (Decimal("1.50"),)), Trade("B")]
    async with open_pair(Drain(), Drain, dialect=dialect) as (drain, _):
        assert await drain.all_of(each(trades), each([1, 2]), note="x") == f"{(trades, [1, 2])} x"
        assert await drain.all_of(each(trades[:0]), each([1])) == "([], [1]) "


async def test_a_wrong_item_for_a_plain_peer_is_named(autojump_clock: MockClock) -> None:
    """EncodeError names the wrong item of an upload to a plain peer; nothing is sent."""
    texts: list[Any] = ["x", 2]
    async with open_pair(Drain(), Drain, dialect="plain") as (drain, _):
        with pytest.raises(EncodeError, match=r"expected str, got int @ params\.texts\[1\]"):
            await drain.texts(each(texts))


async def test_an_upload_that_a_plain_peer_cannot_take_stops_in_time(
    autojump_clock: MockClock,
) -> None:
    """An endless iterable stops at the plain peer's limit; nothing is sent."""
    given: list[int] = []

    async def large() -> AsyncIterator[str]:
        try:
            while len(given) < 100:
                given.append(1)
                yield "x" * 2**20
        finally:
            given.append(0)

    async with open_pair(Drain(), Drain, dialect="plain") as (drain, connection):
        with pytest.raises(EncodeError, match=r"the limit message_out\) @ params\.texts"):
            await drain.texts(large())

        assert given == [1] * 16 + [0]
        assert connection.statistics().frames_in == 0


@service(name="")
class First:
    async def first(self, numbers: AsyncIterable[int]) -> int:
        async for number in numbers:
            return number
        return -1


async def merged(saw: list[str]) -> AsyncIterator[int]:
    """Give numbers while something runs beside them."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        try:
            for number in range(100_000):
                yield number
        except BaseException as exc:
            saw.append(type(exc).__name__)
            raise


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_generator_with_a_nursery_is_cancelled_when_its_call_ends(dialect: Dialect) -> None:
    """The generator's nursery ends, and the caller gets the result."""
    saw: list[str] = []
    limits = Limits(message_out=2000)
    async with open_pair(First(), First, dialect=dialect, limits=limits) as (proxy, _):
        if dialect == "farcall":
            assert await proxy.first(merged(saw)) == 0
        else:  # an array of all of them, of which there are too many
            with pytest.raises(EncodeError, match="the limit message_out"):
                await proxy.first(merged(saw))
    assert saw == ["Cancelled"]
