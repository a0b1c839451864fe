"""A failure of any depth fails only its own call."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

import farcall
from farcall import service
from farcall._nursery import leaves
from farcall.testing import open_pair

DEEP = 3 * 1000
"""Levels: several times the depth of Python's stack."""


def deep() -> ExceptionGroup[Exception]:
    group = within(ValueError("at the bottom"))
    for _ in range(DEEP):
        group = within(group)
    return group


def within(error: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("one of many", [error])


@service(name="")
class Well:
    """Raises groups nested to any depth."""

    async def dig(self) -> None:
        raise deep()

    def dig_inline(self) -> None:
        raise deep()

    async def work(self) -> str:
        return "done"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("name", ["dig", "dig_inline"])
async def test_a_group_of_thousands_of_levels_is_answered(
    name: str, debug: bool, autojump_clock: MockClock
) -> None:
    """Like any group that is too deep, with a redacted error; other calls go on."""
    async with open_pair(Well(), debug=debug) as (session, _):
        with pytest.raises(ExceptionGroup) as caught:
            await session.call(name)
        (leaf,) = leaves(caught.value)
        assert isinstance(leaf, farcall.InternalError)
        assert "'limit': 'levels'" in str(leaf.data)
        assert await session.call("work") == "done"


def test_the_leaves_of_a_deep_group_are_found() -> None:
    """Leaves are found in order, without recursion."""
    group = ExceptionGroup("both", [deep(), KeyError(2)])

    assert [type(leaf) for leaf in leaves(group)] == [ValueError, KeyError]
