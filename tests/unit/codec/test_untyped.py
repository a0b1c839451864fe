"""Values without a declared type."""

from __future__ import annotations

import enum
from datetime import date
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

import attrs
import pytest

from farcall._codec import decode_json, encode_untyped
from farcall.errors import EncodeError

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int


@attrs.frozen
class Quote:
    symbol: str
    at: date


@attrs.frozen
class Box(Generic[T]):
    item: T


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([1, 1.5, "a", (None,)], '[1,1.5,"a",[null]]'),
        ({"a": {3, 1}}, '{"a":[1,3]}'),
        (frozenset({"b", "a"}), '["a","b"]'),
        (Color.RED, '"red"'),
        (Level.LOW, "1"),
        (date(2024, 1, 1), '"2024-01-01"'),
        (b"a", '"YQ=="'),
        (Decimal("1.5"), '"1.5"'),
        (Point(1), '{"x":1}'),
        ([Quote("A", date(2024, 1, 1))], '[{"symbol":"A","at":"2024-01-01"}]'),
        ({1: "a", -20: {3: None}}, '{"1":"a","-20":{"3":null}}'),
        ({Color.RED: 1, UUID(int=0): 2}, '{"red":1,"00000000-0000-0000-0000-000000000000":2}'),
    ],
)
def test_write(value: object, text: str) -> None:
    """JSON is written as it is, any other value as its class."""
    assert encode_untyped(value).decode() == text


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (object(), "expected JSON, got object @ value"),
        (["a", 1j], "complex cannot cross the wire; use an attrs class with fields that can"),
        ({"a": [float("nan")]}, "expected finite float @ value.a[0]"),
        ({1.5: 2}, "expected text or int as a key, got float @ value['1.5']"),
        ({None: 2}, "expected text or int as a key, got NoneType @ value.None"),
        ({True: 2}, "expected text or int as a key, got bool @ value.True"),
        ([{1: 2, "1": 3}], "expected keys whose texts differ @ value[0]"),
        ([Box(1)], "Box is generic; write Box[...] with types for T @ value[0]"),
        (Quote(1, date(2024, 1, 1)), "expected str, got int @ value.symbol"),  # type: ignore[arg-type]
    ],
)
def test_refusal(value: object, error: str) -> None:
    """A value whose class cannot cross is refused, with its path."""
    with pytest.raises(EncodeError) as caught:
        encode_untyped(value)

    assert str(caught.value).startswith(error)


def test_decode_json() -> None:
    """Any JSON is read."""
    assert decode_json(b'{"a":[1,null]}') == {"a": [1, None]}
