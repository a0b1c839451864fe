"""Calling a stream: what the block gets, and how it ends."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from farcall import InvalidResult, service
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
    """It is not dropped in silence: the method has run, and has nothing to iterate over."""
    plain = Plain()
    async with open_pair(plain) as (session, _):
        with pytest.raises(InvalidResult, match=rf"Plain\.{name}: a result, and no stream"):
            async with session.stream(f"Plain.{name}"):
                raise AssertionError

        assert plain.calls == 1
        assert await session.call("Plain.number") == 7


async def test_null_is_a_stream_without_items(autojump_clock: MockClock) -> None:
    """Every stream ends with it."""
    async with open_pair(Plain()) as (session, _):
        async with session.stream("Plain.nothing") as items:
            assert [item async for item in items] == []


async def test_a_plain_peer_answers_with_an_array(autojump_clock: MockClock) -> None:
    """Nothing tells whether it is one of items."""
    async with open_pair(Plain(), dialect="plain") as (session, _):
        async with session.stream("Plain.numbers") as items:
            assert [item async for item in items] == [7]
        with pytest.raises(InvalidResult, match=r"expected an array of items @ result"):
            async with session.stream("Plain.number"):
                raise AssertionError
