"""`Limits.within` lowers limits to what a process may hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from farcall import Limits

KIB, MIB = 2**10, 2**20
PAGE = Path(__file__).parents[3] / "docs" / "limits.md"

SIZES = [64, 100, 128, 256, 333, 512, 1024, 2048, 4096, 8192, 16384, 2**20]


def held(limits: Limits) -> int:
    """The sum of the page on limits: what all peers together can make a process hold."""
    return (
        2 * limits.process_bytes
        + 32 * limits.process_call_bytes
        + 8 * KIB * limits.process_calls
        + 64 * KIB * limits.connections
    )


@pytest.mark.parametrize("size", SIZES)
def test_peers_hold_at_most_half(size: int) -> None:
    """All peers together can hold at most half of the memory, and nearly as much as that."""
    limits = Limits.within(memory=size * MIB)

    assert held(limits) <= size * MIB / 2
    assert held(limits) > size * MIB * 0.45 or size > 4096


@pytest.mark.parametrize("size", SIZES)
def test_no_limit_is_loosened(size: int) -> None:
    """Every limit is at most its default, and what one peer may hold fits into what all may."""
    limits, default = Limits.within(memory=size * MIB), Limits()

    for field in attrs.fields(Limits):
        mine, theirs = getattr(limits, field.name), getattr(default, field.name)
        if field.name == "message":
            assert mine is None or mine < MIB
        else:
            assert mine <= theirs
    assert (limits.message or MIB) <= limits.call_bytes <= limits.process_call_bytes
    assert max(limits.queued_bytes, limits.subscription_bytes) <= limits.process_bytes


def test_the_table_of_the_page_is_what_it_gives() -> None:
    """The table in the guide has the limits that farcall chooses."""
    rows = re.findall(r"^\| (\d+) (MiB|GiB) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 8
    for number, unit, rest in rows:
        limits = Limits.within(memory=int(number) * (MIB if unit == "MiB" else 2**30))
        message = "default" if limits.message is None else f"{limits.message // KIB} KiB"
        assert rest.split(" | ") == [
            f"{limits.process_bytes // MIB:,} MiB",
            f"{limits.process_call_bytes // KIB:,} KiB",
            f"{limits.process_calls:,}",
            f"{limits.connections:,}",
            message,
            f"{limits.logins}",
        ]


@pytest.mark.parametrize("wrong", [0, 64 * MIB - 1, -1])
def test_too_little_memory(wrong: int) -> None:
    """Less than 64 MiB is a ValueError that says so."""
    with pytest.raises(ValueError, match=r"^memory=.*67108864"):
        Limits.within(memory=wrong)


def test_memory_is_a_number_of_bytes() -> None:
    """A text such as "256M" is a TypeError that names the argument."""
    wrong: Any = "256M"
    with pytest.raises(TypeError, match=r"^memory="):
        Limits.within(memory=wrong)
