"""Any JSON value."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
from collections import OrderedDict, UserDict, UserList, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farcall._codec import Json
from farcall._codec.anything import ANYTHING, MAX_DIGITS, check_digits, check_text, finite
from farcall._codec.faults import Mismatch
from farcall.errors import EncodeError
from tests.unit.codec.through import read, refusal, write


class Color(enum.Enum):
    RED = "red"


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
    """Any JSON value is written, from any kind of sequence and mapping."""
    assert write(annotation, value) == text


def test_fits() -> None:
    """In a union any value fits JSON."""
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
    """A value that is not JSON is refused, with its path."""
    assert refusal(Any, value) == error


@attrs.frozen
class Attrs:
    a: int = 1


@dataclasses.dataclass
class Data:
    a: int = 1


class Struct(msgspec.Struct):
    a: int = 1


NO_JSON = [
    {1, 2},
    frozenset({1}),
    date(2024, 1, 1),
    datetime(2024, 1, 1),
    timedelta(1),
    UUID(int=0),
    Decimal(1),
    b"a",
    memoryview(b"a"),
    msgspec.Raw(b"1"),
    Attrs(),
    Data(),
    Struct(),
    Color.RED,
]


@pytest.mark.parametrize("value", NO_JSON, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("annotation", "around", "place"),
    [
        (Any, lambda value: [1, value], "[1]"),
        (Any, lambda value: {"a": {"b": value}}, ".a.b"),
        (Any, lambda value: (value,), "[0]"),
        (list[Any], lambda value: [1, [value]], "[1][0]"),
        (Sequence[Any], lambda value: [1, [value]], "[1][0]"),
        (dict[str, Any], lambda value: {"a": value}, ".a"),
        (Mapping[str, Json], lambda value: {"a": value}, ".a"),
    ],
)
def test_what_msgspec_writes_and_json_cannot_say(
    annotation: Any, around: Callable[[object], object], place: str, value: object
) -> None:
    """Dates, records, bytes and sets inside JSON are refused."""
    error = f"expected JSON, got {type(value).__name__} @ value{place}"

    assert refusal(annotation, around(value)) == error


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([math.nan], "expected finite float @ value[0]"),
        ([[-math.inf]], "expected finite float @ value[0][0]"),
        ([{1: "a"}], "expected str as a key, got int @ value[0]['1']"),
        ([{1.5: "a"}], "expected str as a key, got float @ value[0]['1.5']"),
        ([{"a": "\ud83d"}], "expected str without lone surrogates @ value[0].a"),
        ([-(10**4299)], "expected int of at most 4299 digits @ value[0]"),
        ([9 * 10**4299], "expected int of at most 4299 digits @ value[0]"),
    ],
)
@pytest.mark.parametrize("annotation", [Any, list[Any]])
def test_what_msgspec_writes_wrongly(annotation: Any, value: object, error: str) -> None:
    """Values that msgspec would write as others, such as NaN and the key 1, are refused."""
    assert refusal(annotation, value) == error


@pytest.mark.parametrize("annotation", [Any, list[Any]])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([10**4298], f"[{10**4298}]"),
        ([-(2**64), 2**64], "[-18446744073709551616,18446744073709551616]"),
        ([True, 1, 1.0, -0.0, 1e22], "[true,1,1.0,-0.0,1e22]"),
        ([(1, 2), [3]], "[[1,2],[3]]"),
        ([OrderedDict(a=1), defaultdict(int, b=2)], '[{"a":1},{"b":2}]'),
        (["9" * 5000], f'["{"9" * 5000}"]'),
        ([Side.BUY, Level.LOW], '["buy",1]'),
    ],
)
def test_write_within(annotation: Any, value: object, text: str) -> None:
    """Values in a list are written as they are alone."""
    assert write(annotation, value) == text


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from([b"a", Decimal(1), {1}, date(2024, 1, 1), "\ud83d"]),
)


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    )


@given(st.recursive(VALUES, containers, max_leaves=12))
def test_any_value(value: object) -> None:
    """A value is written as plain Python would write it, or is refused."""
    try:
        text = write(Any, value)
    except EncodeError:
        with pytest.raises((TypeError, ValueError)):
            plain(value)
    else:
        assert json.loads(text) == json.loads(plain(value))


def test_what_is_written_does_not_change_later() -> None:
    """JSON data shares no container with the value."""
    value = {"a": [1]}
    written = ANYTHING.write(value)
    value["a"].append(2)

    assert written == {"a": [1]}


def plain(value: object) -> str:
    return json.dumps(strict(value), allow_nan=False)


def strict(value: object) -> object:
    match value:
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise TypeError
            return {key: strict(each) for key, each in value.items()}
        case list() | tuple():
            return list(map(strict, value))
        case str():
            value.encode()
        case _:
            pass
    return value


def hex_length(value: int) -> str:
    return f"{value.bit_length()} bits"  # pytest would write the number itself


def test_digits() -> None:
    """The largest int is one that Python reads back, sign and all."""
    biggest = 10**MAX_DIGITS - 1

    assert check_digits(biggest) == biggest
    assert check_digits(-biggest) == -biggest
    assert len(str(-biggest)) == sys.int_info.default_max_str_digits


@pytest.mark.parametrize("value", [10**MAX_DIGITS, -(10**MAX_DIGITS), 1 << 100_000], ids=hex_length)
def test_too_many_digits(value: int) -> None:
    """A larger int is refused before it is written, which would take long."""
    with pytest.raises(Mismatch):
        check_digits(value)


def test_finite() -> None:
    """Finite floats pass; NaN and infinities are refused."""
    assert finite(1.5) == 1.5
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(Mismatch):
            finite(value)


def test_text() -> None:
    """A text becomes a plain str; a lone surrogate is refused."""
    assert check_text("é") == "é"
    assert type(check_text(Side.BUY)) is str
    with pytest.raises(Mismatch):
        check_text("\ud800")
