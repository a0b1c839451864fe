"""Arrays, tuples and tables."""

from __future__ import annotations

import enum
from collections import UserList
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, NewType
from uuid import UUID

import attrs
import pytest

from tests.unit.codec.through import faults, read, refusal, same, write


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


UPPER = str(UUID(int=10)).upper()
NOT_LOWER = "expected UUID in lower case as a key"
NO_DIGITS = "expected the digits of an int as a key"


class Point(NamedTuple):
    x: int
    y: int


@attrs.frozen
class Bag:
    items: list[int]

    def __hash__(self) -> int:  # nobody but Python can tell that it fails
        return hash((self.items,))


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (list[int], [1, 2], "[1,2]"),
        (list[int], [], "[]"),
        (list[list[str]], [["a"], []], '[["a"],[]]'),
        (Sequence[int], [1, 2], "[1,2]"),
        (tuple[int, ...], (1, 2), "[1,2]"),
        (tuple[int, str], (1, "a"), '[1,"a"]'),
        (tuple[()], (), "[]"),
        (set[int], {10, 9, 1}, "[1,10,9]"),
        (frozenset[str], frozenset({"b", "a"}), '["a","b"]'),
        (dict[str, int], {"b": 1, "a": 2}, '{"b":1,"a":2}'),
        (dict[Color, int], {Color.RED: 1}, '{"red":1}'),
        (dict[UUID, int], {UUID(int=0): 1}, '{"00000000-0000-0000-0000-000000000000":1}'),
        (
            dict[int, str],
            {-1: "a", 0: "b", 2**40: "c"},
            '{"-1":"a","0":"b","1099511627776":"c"}',
        ),
        (dict[int, int], {10**4299 - 1: 1}, f'{{"{"9" * 4299}":1}}'),
        (dict[Level, int], {Level.LOW: 1}, '{"1":1}'),
        (dict[Literal[1, 2], int], {2: 1}, '{"2":1}'),
        (Mapping[NewType("Id", int), int], {5: 1}, '{"5":1}'),  # type: ignore[misc]
        (dict[date, int], {date(2024, 2, 29): 1}, '{"2024-02-29":1}'),
        (dict[bytes, int], {b"a": 1}, '{"YQ==":1}'),
        (dict[Literal["a", "b"], int], {"a": 1}, '{"a":1}'),
        (Mapping[str, list[int]], {"a": [1]}, '{"a":[1]}'),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """Each container has one text, and comes back the same."""
    assert write(annotation, value) == text
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (Sequence[int], (1, 2), "[1,2]"),
        (Sequence[int], UserList([1]), "[1]"),
        (Mapping[str, int], MappingProxyType({"a": 1}), '{"a":1}'),
        (tuple[int, int], Point(1, 2), "[1,2]"),
    ],
)
def test_writes_what_python_takes_for_it(annotation: Any, value: object, text: str) -> None:
    """A subclass, or any sequence or mapping where that is declared, is written."""
    assert write(annotation, value) == text


def test_set_takes_doubles() -> None:
    """A set that came with doubles has each item once."""
    assert read(set[int], "[1,1,2]") == {1, 2}


def test_keys_that_mean_the_same() -> None:
    """Of two texts for one key the last counts, if peers write both."""
    assert read(dict[Decimal, int], '{"1e2":1,"1E+2":2}') == {Decimal(100): 2}
    assert read(dict[str, int], '{"a":1,"a":2}') == {"a": 2}


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        (list[int], '"ab"', "expected list @ value"),
        (list[int], '{"a":1}', "expected list @ value"),
        (list[int], "[1,2,true,false]", "expected int @ value[2]"),
        (list[list[int]], '[[],[1,"x"]]', "expected int @ value[1][1]"),
        (Sequence[str], '"ab"', "expected sequence @ value"),
        (set[int], "1", "expected set @ value"),
        (set[int], '["a"]', "expected int @ value[0]"),
        (set[Bag], '[{"items":[]}]', "expected set of items that have a hash @ value"),
        (tuple[int, ...], '[1,"a"]', "expected int @ value[1]"),
        (tuple[int, str], "[1]", "expected list of 2 items @ value"),
        (tuple[int, str], '[1,"a",2]', "expected list of 2 items @ value"),
        (tuple[int, str], "{}", "expected list of 2 items @ value"),
        (tuple[int, str], "[1,2]", "expected str @ value[1]"),
        (dict[str, int], "[]", "expected dict @ value"),
        (dict[str, int], '{"a":1,"b c":"x"}', "expected int @ value['b c']"),
        (dict[UUID, int], '{"a":1}', "expected UUID @ value.a"),
        (
            dict[UUID, int],
            f'{{"{UPPER}":1}}',
            f"{NOT_LOWER} @ value['{UPPER}']",
        ),
        (dict[int, int], '{"01":1}', f"{NO_DIGITS} @ value['01']"),
        (dict[int, int], '{"1_0":1}', f"{NO_DIGITS} @ value['1_0']"),
        (dict[int, int], '{"+1":1}', f"{NO_DIGITS} @ value['+1']"),
        (dict[int, int], '{"-0":1}', f"{NO_DIGITS} @ value['-0']"),
        (dict[int, int], '{" 1":1}', f"{NO_DIGITS} @ value[' 1']"),
        (dict[int, int], '{"1.0":1}', f"{NO_DIGITS} @ value['1.0']"),
        (dict[int, int], '{"²":1}', f"{NO_DIGITS} @ value['²']"),
        (dict[int, int], '{"":1}', f"{NO_DIGITS} @ value['']"),
        (dict[int, int], '{"true":1}', f"{NO_DIGITS} @ value.true"),
        (dict[Literal[1, 2], int], '{"3":1}', "expected 1 | 2 @ value['3']"),
        (dict[Level, int], '{"1":1,"2":1}', "expected 1 @ value['2']"),
        (dict[date, int], '{"20240229":1}', "expected date @ value['20240229']"),
        (Mapping[Color, int], '{"green":1}', 'expected "red" @ value.green'),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, fault: str) -> None:
    """Another kind of container is refused; of wrong items the first is reported."""
    assert faults(annotation, text) == [fault]


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (list[int], (1,), "expected list, got tuple @ value"),
        (list[int], [1, "a"], "expected int, got str @ value[1]"),
        (Sequence[str], "ab", "expected sequence, got str @ value"),
        (Sequence[int], b"ab", "expected sequence, got bytes @ value"),
        (tuple[int, ...], [1], "expected tuple, got list @ value"),
        (tuple[int, str], [1, "a"], "expected tuple, got list @ value"),
        (tuple[int, str], (1,), "expected tuple of 2 items, got 1 @ value"),
        (tuple[int, str], (1, 2), "expected str, got int @ value[1]"),
        (set[int], frozenset({1}), "expected set, got frozenset @ value"),
        (dict[str, int], MappingProxyType({"a": 1}), "expected dict, got mappingproxy @ value"),
        (dict[str, int], {"a": "b"}, "expected int, got str @ value.a"),
        (dict[str, int], {1: 1}, "expected str, got int @ value['1']"),
        (dict[Color, int], {"red": 1}, "expected Color, got str @ value.red"),
        (
            dict[int, int],
            {10**4300: 1},
            "expected int of at most 4299 digits @ value['int of too many digits']",
        ),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """Another kind of container is refused, and a wrong item, with its path."""
    assert refusal(annotation, value) == error


@attrs.frozen
class Choice:
    place: int

    def __attrs_post_init__(self) -> None:
        next(iter(range(3 - self.place)))  # StopIteration from 3 on


@attrs.frozen
class Choices:
    choices: list[Choice]


@pytest.mark.parametrize(
    ("annotation", "text", "path"),
    [
        (list[Choice], '[{"place":1},{"place":3},{"place":2}]', "value[1]"),
        (tuple[Choice, ...], '[{"place":3}]', "value[0]"),
        (tuple[Choice, Choice], '[{"place":1},{"place":3}]', "value[1]"),
        (list[Choice | None], '[null,{"place":3},null]', "value[1]"),
        (list[Choices], '[{"choices":[]},{"choices":[{"place":3}]}]', "value[1].choices[0]"),
    ],
)
def test_a_constructor_that_raises_stop_iteration(annotation: Any, text: str, path: str) -> None:
    """A StopIteration refuses the value; no list ends early by it."""
    assert faults(annotation, text) == [f"refused by Choice @ {path}"]
