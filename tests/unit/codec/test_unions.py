"""Unions."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypedDict, Union

import attrs
import pytest

from tests.unit.codec.through import faults, read, refusal, same, write


class Color(enum.Enum):
    RED = "red"


class Size(enum.Enum):
    BIG = "big"


@attrs.frozen
class Circle:
    r: int
    color: str = "red"


@attrs.frozen
class Square:
    side: int


@attrs.frozen
class Sphere(Circle):
    pass


class Dot(NamedTuple):
    x: int


class Kind(enum.Enum):
    CAT = "cat"


class Cat(TypedDict):
    type: Literal[Kind.CAT]
    lives: int


class Dog(TypedDict):
    type: Literal["hound", "dog"]


class Left(TypedDict):
    left: int


class Right(TypedDict):
    right: int


@attrs.frozen
class Typed:
    type: str
    t: int


@attrs.frozen
class Branch:
    left: Branch | Leaf
    right: Branch | Leaf


@attrs.frozen
class Leaf:
    value: int


Shape = Circle | Square | None


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (int | None, 1, "1"),
        (int | None, None, "null"),
        (int | float, 1, "1"),
        (int | float, 1.0, "1.0"),
        (float | int, 1, "1"),
        (bool | int | str, True, "true"),
        (bool | int | str, 1, "1"),
        (str | list[str] | dict[str, int], ["a"], '["a"]'),
        (str | list[str] | dict[str, int], {"a": 1}, '{"a":1}'),
        (timedelta | str, timedelta(seconds=1.5), "1.5"),
        (timedelta | str, timedelta(seconds=1), "1"),
        (Color | Size, Size.BIG, '"big"'),
        (Color | Literal["green"] | int, "green", '"green"'),
        (Color | Literal["green"] | int, Color.RED, '"red"'),
        (Literal[1] | Literal[True], True, "true"),
        (Circle | None, Circle(1), '{"r":1,"color":"red"}'),
        (Shape, Circle(1), '{"type":"Circle","r":1,"color":"red"}'),
        (Shape, Square(1), '{"type":"Square","side":1}'),
        (Shape, None, "null"),
        (list[Circle | Square], [Square(1)], '[{"type":"Square","side":1}]'),
        (Circle | Sphere, Sphere(1), '{"type":"Sphere","r":1,"color":"red"}'),
        (Sphere | Circle, Circle(1), '{"type":"Circle","r":1,"color":"red"}'),
        (Dot | tuple[int, str], Dot(1), '{"x":1}'),
        (tuple[int, ...] | Dot, (1,), "[1]"),
        (tuple[int, ...] | Dot, Dot(1), '{"x":1}'),
        (tuple[int, ...] | Dot | Square, Dot(1), '{"type":"Dot","x":1}'),
        (Cat | Dog, {"type": Kind.CAT, "lives": 9}, '{"type":"cat","lives":9}'),
        (Cat | Dog | None, {"type": "hound"}, '{"type":"hound"}'),
        (Left | Right, {"right": 1}, '{"type":"Right","right":1}'),
        (Left | Square, {"left": 1}, '{"type":"Left","left":1}'),
        (Typed | Square, Typed("a", 1), '{"type":"a","t":1}'),
        (Typed | Square, Square(1), '{"side":1}'),
        (
            Branch | Leaf,
            Branch(Leaf(1), Branch(Leaf(2), Leaf(3))),
            '{"type":"Branch","left":{"type":"Leaf","value":1},"right":{"type":"Branch",'
            '"left":{"type":"Leaf","value":2},"right":{"type":"Leaf","value":3}}}',
        ),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """A value crosses as the member that it belongs to, and comes back as that."""
    assert write(annotation, value) == text
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Shape, '{"r":1}', Circle(1)),
        (Shape, '{"side":1}', Square(1)),
        (Circle | Sphere, '{"type":"Sphere","r":1}', Sphere(1)),
        (Dot | Square | tuple[int], '{"x":1}', Dot(1)),
        (Left | Right, '{"left":1}', {"left": 1}),
        (float | None, "1", 1.0),
    ],
)
def test_read_without_type(annotation: Any, text: str, value: object) -> None:
    """If a required field tells the record, ``type`` can be left out."""
    assert same(read(annotation, text), value)


@attrs.frozen
class Only:
    a: int = 1


@attrs.frozen
class Other:
    b: int


def test_fallback() -> None:
    """An object without unique fields is the one record that has none."""
    assert read(Only | Other, "{}") == Only()
    assert read(Only | Other, '{"a":2}') == Only(2)
    assert read(Only | Other, '{"b":2}') == Other(2)


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (int | None, '"a"', ["expected int | null @ value"]),
        (int | str | None, "1.5", ["expected int | str | null @ value"]),
        (Color | Size, '"x"', ['expected "red" | "big" @ value']),
        (Color | Literal["green"] | int, '"x"', ['expected "red" | "green" @ value']),
        (list[int] | None, '["a"]', ["expected int @ value[0]"]),
        (Circle | None, '{"r":"x"}', ["expected int @ value.r"]),
        (Shape, "1", ["expected null | Circle | Square @ value"]),
        (Circle | Square, "[]", ["expected Circle | Square @ value"]),
        (Shape, '{"type":"Circle"}', ["missing @ value.r"]),
        (Shape, '{"type":"Circle","r":1,"side":1}', ["unknown field @ value.side"]),
        (Shape, '{"type":"Cube"}', ['expected "Circle" | "Square" @ value.type']),
        (Shape, '{"type":1}', ['expected "Circle" | "Square" @ value.type']),
        (Circle | Sphere, '{"r":1}', ["missing @ value.type"]),
        (Cat | Dog, '{"lives":1}', ["missing @ value.type"]),
        (Cat | Dog, '{"type":"cat"}', ["missing @ value.lives"]),
        (Typed | Dot | Square, '{"z":1}', ["expected Typed | Dot | Square @ value"]),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, expected: list[str]) -> None:
    """JSON data of no member is refused; a wrong member reports its own faults."""
    assert faults(annotation, text) == expected


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (int | None, "a", "expected int | null, got str @ value"),
        (int | None, True, "expected int | null, got bool @ value"),
        (Shape, Dot(1), "expected null | Circle | Square, got Dot @ value"),
        (Circle | Square, {}, "expected Circle | Square, got dict @ value"),
        (Shape, Circle("x"), "expected int, got str @ value.r"),  # type: ignore[arg-type]
        (Cat | Dog, {"type": "bird"}, 'expected "cat" | "dog" | "hound" @ value.type'),
        (Left | Right, {}, "missing @ value.type"),
        (Left | Right | Square, {"side": 1}, "expected Left | Right | Square, got dict @ value"),
        (Color | Literal["green"], "red", 'expected "red" | "green", got str @ value'),
        (Color | Literal["green"], [], 'expected "red" | "green", got list @ value'),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """A value of no member is refused, and a fault in a member has its path."""
    assert refusal(annotation, value) == error


def test_union_in_union() -> None:
    """Records and other members can be in any order."""
    annotation = Union[Circle, int, Square, str]  # noqa: UP007  # the order is the point

    assert read(annotation, "1") == 1
    assert read(annotation, '{"side":1}') == Square(1)
    assert write(annotation, "a") == '"a"'
