"""Streams for local callers: a block in which the generator runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from farcall._declare.streams import scoped


class Market:
    def __init__(self) -> None:
        self.events: list[str] = []

    @scoped
    async def history(self, symbol: str, count: int = 3) -> AsyncIterator[str]:
        try:
            for number in range(count):
                self.events.append(f"made {number}")
                yield f"{symbol}{number}"
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            self.events.append("ended")

    @scoped
    async def broken(self) -> AsyncIterator[int]:
        yield 1
        raise KeyError("broken")

    @scoped
    async def endless(self) -> AsyncIterator[int]:
        yield 1
        await trio.sleep_forever()


async def test_items(autojump_clock: MockClock) -> None:
    """A scoped generator gives all items in order, and then ends."""
    async with Market().history("A", count=2) as items:
        assert [item async for item in items] == ["A0", "A1"]


async def test_early_exit(autojump_clock: MockClock) -> None:
    """Leaving early ends the generator, whose ``finally`` has run when the block has ended."""
    market = Market()
    async with market.history("A") as items:
        async for _ in items:
            break

    assert market.events == ["made 0", "ended"]


async def test_nothing_is_made_ahead(autojump_clock: MockClock) -> None:
    """The generator resumes only when the next item is asked for."""
    market = Market()
    async with market.history("A") as items:
        await anext(items)
        await trio.testing.wait_all_tasks_blocked()

        assert market.events == ["made 0"]


async def test_error_of_the_generator() -> None:
    """An exception of the generator is raised unchanged, after the items before it."""
    seen = list[int]()
    with pytest.raises(KeyError, match="broken"):  # noqa: PT012 - a block is what is tested
        async with Market().broken() as items:
            async for item in items:
                seen.append(item)

    assert seen == [1]


async def test_error_of_the_block(autojump_clock: MockClock) -> None:
    """An exception of the block is raised unchanged, after the generator has ended."""
    market = Market()
    with pytest.raises(ValueError, match="mine"):  # noqa: PT012 - a block is what is tested
        async with market.history("A") as items:
            await anext(items)
            raise ValueError("mine")

    assert market.events[-1] == "ended"


async def test_cancel(autojump_clock: MockClock) -> None:
    """A deadline around the block ends the generator, too."""
    with trio.move_on_after(2) as scope:
        async with Market().endless() as items:
            async for _ in items:
                pass

    assert scope.cancelled_caught


def test_raw_generator() -> None:
    """The generator function is the ``__wrapped__`` of a scoped one."""

    async def history(symbol: str) -> AsyncIterator[str]:
        yield symbol

    assert scoped(history).__wrapped__ is history  # type: ignore[attr-defined]
    assert scoped(history).__name__ == "history"
