"""The error for a type that cannot cross the wire."""

from __future__ import annotations

import pytest

from farcall._contract.spec import UnsupportedType


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "it is bare; write list[int]"),
        ("Order.items", "Order.items: it is bare; write list[int]"),
    ],
)
def test_message(path: str, text: str) -> None:
    """The message has the path, the problem and the fix."""
    assert str(UnsupportedType("it is bare", "write list[int]", path)) == text
