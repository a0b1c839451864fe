"""Any JSON value."""

from __future__ import annotations

import enum
from collections import UserDict, UserList
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest

from farcall._codec import Json
from farcall._codec.anything import ANYTHING
from tests.codec.through import read, refusal, write


class Side(enum.StrEnum):
    BUY = "buy"


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize("annotation", [Any, object, Json])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ([True, 1, 1.5, "a"], '[true,1,1.5,"a"]'),
        ((1, (2,)), "[1,[2]]"),
        ({"a": {"b": []}}, '{"a":{"b":[]}}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (UserList([1]), "[1]"),
        (UserDict(a=1), '{"a":1}'),
        ({Side.BUY: Level.LOW}, '{"buy":1}'),
    ],
)
def test_write(annotation: Any, value: object, text: str) -> None:
    """JSON is written as it is, from whatever sequences and tables."""
    assert write(annotation, value) == text


def test_fits() -> None:
    """Whatever it is, it may be meant for JSON."""
    assert ANYTHING.fits(object())


def test_read() -> None:
    """JSON is read as msgspec reads it."""
    assert read(Any, '{"a":[1,1.0,null,true,"x"]}') == {"a": [1, 1.0, None, True, "x"]}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({1, 2}, "expected JSON, got set @ value"),
        ({"a": [date(2024, 1, 1)]}, "expected JSON, got date @ value.a[0]"),
        ([b"a"], "expected JSON, got bytes @ value[0]"),
        ([bytearray(b"a")], "expected JSON, got bytearray @ value[0]"),
        ({1: 2}, "expected str as a key, got int @ value['1']"),
        ({"a b": float("nan")}, "expected finite float @ value['a b']"),
        (["\udfff"], "expected str without lone surrogates @ value[0]"),
        ({"\udfff": 1}, "expected str without lone surrogates @ value['\\udfff']"),
        (10**4299, "expected int of at most 4299 digits @ value"),
    ],
)
def test_refusal(value: object, error: str) -> None:
    """What is no JSON is refused, at its place."""
    assert refusal(Any, value) == error
