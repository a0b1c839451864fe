"""Calling a stream: what the block gets, and how it ends."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from farcall import ApplicationError, InvalidResult, service, stream
from farcall.testing import open_pair


@service
class Plain:
    """Methods that are no streams."""

    def __init__(self) -> None:
        self.calls = 0

    async def number(self) -> int:
        self.calls += 1
        return 7

    async def numbers(self) -> list[int]:
        self.calls += 1
        return [7]

    async def nothing(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("name", ["number", "numbers"])
async def test_a_result_is_no_stream(name: str, autojump_clock: MockClock) -> None:
    """A result where a stream was expected raises InvalidResult."""
    plain = Plain()
    async with open_pair(plain) as (session, _):
        with pytest.raises(InvalidResult, match=rf"Plain\.{name}: expected a stream, got a result"):
            async with session.stream(f"Plain.{name}"):
                raise AssertionError

        assert plain.calls == 1
        assert await session.call("Plain.number") == 7


async def test_null_is_a_stream_without_items(autojump_clock: MockClock) -> None:
    """A result of null is a stream without items."""
    async with open_pair(Plain()) as (session, _):
        async with session.stream("Plain.nothing") as items:
            assert [item async for item in items] == []


async def test_a_plain_peer_answers_with_an_array(autojump_clock: MockClock) -> None:
    """A plain peer's stream is an array; any other result raises InvalidResult."""
    async with open_pair(Plain(), dialect="plain") as (session, _):
        async with session.stream("Plain.numbers") as items:
            assert [item async for item in items] == [7]
        with pytest.raises(InvalidResult, match=r"expected an array of items @ result"):
            async with session.stream("Plain.number"):
                raise AssertionError


@attrs.define
class Refused(ApplicationError):
    pass


@service
class Duplex:
    """Streams that take uploads and end before they do."""

    @stream
    async def one(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        yield 1

    @stream
    async def first(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number
            break

    @stream
    async def echo(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number

    @stream(raises=[Refused])
    async def refuse(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        yield await anext(aiter(numbers))
        raise Refused


class Source:
    """Numbers without end, and when nobody wants any more."""

    def __init__(self, every: float = 0, fails_at: float = math.inf) -> None:
        self._every = every
        self._fails_at = fails_at
        self.closed_at: float | None = None

    async def numbers(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await trio.sleep(self._every)
                if trio.current_time() >= self._fails_at:
                    raise OSError("late")
        finally:
            self.closed_at = trio.current_time()


@pytest.mark.parametrize("kind", ["one", "first"])
@pytest.mark.parametrize("every", [0, 1, math.inf])
async def test_the_end_of_a_stream_ends_its_uploads(
    kind: str, every: float, autojump_clock: MockClock
) -> None:
    """Iterables stop when the stream ends, while its block goes on."""
    source = Source(every)
    async with open_pair(Duplex(), Duplex) as (duplex, connection):
        async with getattr(duplex, kind)(source.numbers()) as numbers:
            assert [number async for number in numbers] == [1]
            await trio.sleep(3)

            assert source.closed_at == 0
        link: Any = connection._link
        assert not link.protocol.uploads.incoming


async def test_an_iterable_that_would_fail_later_does_no_harm(autojump_clock: MockClock) -> None:
    """An iterable that would fail after the end of the stream raises nothing."""
    source = Source(1, fails_at=2)
    async with open_pair(Duplex(), Duplex) as (duplex, _):
        async with duplex.one(source.numbers()) as numbers:
            assert [number async for number in numbers] == [1]
            await trio.sleep(5)


async def test_an_error_at_the_end_of_a_stream_is_not_lost(autojump_clock: MockClock) -> None:
    """With uploads the error of a stream is raised where it is without them."""
    source = Source(1)
    async with open_pair(Duplex(), Duplex) as (duplex, _):
        got: list[int] = []
        with pytest.raises(Refused):
            await read(duplex.refuse(source.numbers()), got)
        assert got == [1]
        assert source.closed_at == 0


async def read(stream: AbstractAsyncContextManager[AsyncIterator[int]], got: list[int]) -> None:
    async with stream as numbers:
        async for number in numbers:
            got.append(number)  # noqa: PERF401 - those before an error count as well


async def test_an_iterable_that_fails_ends_a_running_stream(autojump_clock: MockClock) -> None:
    """A failing iterable cancels the block, and the caller gets its error."""
    source = Source(1, fails_at=2)
    async with open_pair(Duplex(), Duplex) as (duplex, _):
        with pytest.raises(OSError, match="late"):
            async with duplex.echo(source.numbers()):
                await trio.sleep_forever()
        assert trio.current_time() == 2
