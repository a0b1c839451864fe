"""One conversion made in two ways."""

from __future__ import annotations

from collections.abc import Callable

from farcall._codec.text import FastThenDetailed


def test_detailed_is_made_on_demand() -> None:
    """What tells places is made when it is needed first, and once."""
    made: list[bool] = []

    def make(is_detailed: bool) -> Callable[[object], object]:
        made.append(is_detailed)
        return str if is_detailed else repr

    passes = FastThenDetailed(make)
    assert (passes.quick("a"), made) == ("'a'", [False])

    assert passes.detailed("a") == "a"
    assert passes.detailed is passes.way(is_detailed=True)
    assert passes.way(is_detailed=False) is passes.quick
    assert made == [False, True]
