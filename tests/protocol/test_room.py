"""How much fits into one message of items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farcall._protocol.messages import BinaryItems, Items, Sized
from farcall._protocol.room import ITEM_OVERHEAD, LAST_SEQ, items_room

Make = Callable[[int, Sequence[bytes]], Sized]
CURSOR = "0f0f0f0f.1000"
KINDS: list[tuple[Make, int]] = [
    (lambda seq, values: Items(b"7", seq, values), items_room(4096, b"7")),
    (
        lambda seq, values: Items(b'"u1"', seq, values, is_upload=True),
        items_room(4096, b'"u1"', is_upload=True),
    ),
    (lambda seq, values: BinaryItems(b"7", seq, values), items_room(4096, b"7", is_binary=True)),
    (
        lambda seq, values: Items(b"7", seq, values, CURSOR, LAST_SEQ),
        items_room(4096, b"7", cursor=CURSOR),
    ),
]
kinds = pytest.mark.parametrize(("make", "room"), KINDS, ids=["down", "up", "binary", "signal"])


@kinds
@pytest.mark.parametrize("seq", [0, LAST_SEQ])
def test_the_largest_item_fits_whatever_its_number(make: Make, room: int, seq: int) -> None:
    """And there was not much more room."""
    size = len(make(seq, [b"x" * room]).render())

    assert 4096 - 24 <= size <= 4096


@kinds
@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_several_items_fit(make: Make, room: int, sizes: list[int]) -> None:
    """Where each but the first takes its overhead as well."""
    while sum(sizes) + ITEM_OVERHEAD * (len(sizes) - 1) > room:
        sizes.pop()

    assert len(make(LAST_SEQ, [b"x" * size for size in sizes]).render()) <= 4096


def test_a_peer_may_take_no_items_at_all() -> None:
    """Then not even an empty one fits."""
    assert items_room(40, b"7") < 0
