"""Checks of a type that need the definition of every name in it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import attrs
import pytest

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import UnsupportedType

T = TypeVar("T")


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.Enum):
    LOW = 1


MUST_BE = "must be strings or integers"


class Mixed(enum.Enum):
    ONE = 1
    TWO = "2"


@attrs.frozen
class Quote:
    symbol: str


@attrs.define
class Mutable:
    symbol: str


class Table(TypedDict):
    symbol: str


class Point(NamedTuple):
    x: int


class Line(NamedTuple):
    points: list[Point]


@attrs.frozen
class Basket(Generic[T]):
    item: T
    notes: list[str] = attrs.field(factory=list, eq=False)


@attrs.frozen
class Chain(Generic[T]):
    item: T
    rest: Chain[T] | None


@attrs.frozen
class Spreading(Generic[T]):
    inner: tuple[Spreading[tuple[T]], ...]


@dataclasses.dataclass(frozen=True)
class Cart:
    items: list[str]
    notes: list[str] = dataclasses.field(default_factory=list, compare=False)


@attrs.define(eq=False)
class Unique:
    items: list[str]


@attrs.frozen
class ByName:
    name: str
    items: list[str]

    def __hash__(self) -> int:
        return hash(self.name)


Name = NewType("Name", str)
Names = NewType("Names", list[str])


@attrs.define
class Box(Generic[T]):
    item: T | None


@attrs.define
class Tree(Generic[T]):
    item: T
    children: list[Tree[T]]


@attrs.define
class Growing(Generic[T]):
    inner: Growing[dict[str, tuple[T | None, list[T]]]] | None


@attrs.define
class Order:
    when: str | datetime.datetime


@attrs.define
class Shop:
    orders: dict[str, tuple[int, list[Order | None]]]


def check(annotation: Any) -> None:
    describe(annotation, Definitions())


@pytest.mark.parametrize(
    "annotation",
    [
        dict[str, int],
        dict[Side, int],
        dict[Literal["a", "b"], int],
        dict[UUID, int],
        dict[bytes, int],
        dict[Decimal, int],
        dict[datetime.date, int],
        Mapping[Name, int],
        set[str],
        set[Side],
        set[Quote],
        set[Point],
        set[Basket[int]],
        set[Chain[Basket[str]]],
        set[Unique],
        set[ByName],
        set[tuple[int, ...]],
        set[tuple[int, frozenset[str]]],
        frozenset[str | None],
        set[Name],
        Box[int],
        Box[Any],
        Box[int | None],
        Tree[Box[int]],
        dict[int, str],
        dict[Level, str],
        Mapping[Literal[1, 2], str],
    ],
)
def test_supported(annotation: Any) -> None:
    """Keys that are text, items that have a hash, and unions that are clear are accepted."""
    check(annotation)


@pytest.mark.parametrize(
    ("annotation", "problem", "path"),
    [
        (
            dict[float, str],
            f"the keys of a dict {MUST_BE}, and float is neither",
            "",
        ),
        (
            dict[bool, str],
            f"the keys of a dict {MUST_BE}, and bool is neither",
            "",
        ),
        (
            dict[int | str, str],
            f"the keys of a dict {MUST_BE}, and int | str is neither",
            "",
        ),
        (
            dict[Literal[1, "a"], str],
            'the keys of a dict must be strings or integers, and 1 | "a" is neither',
            "",
        ),
        (dict[Any, str], f"the keys of a dict {MUST_BE}, and JSON is neither", ""),
        (
            dict[Mixed, str],
            f"the keys of a dict {MUST_BE}, and Mixed is neither",
            "",
        ),
        (
            Mapping[str | None, str],
            f"the keys of a mapping {MUST_BE}, and str | null is neither",
            "",
        ),
        (
            list[dict[Quote, str]],
            f"the keys of a dict {MUST_BE}, and Quote is neither",
            "",
        ),
        (set[list[int]], "list has no hash, so a set cannot hold it", ""),
        (set[Sequence[int]], "sequence has no hash, so a set cannot hold it", ""),
        (set[Mutable], "Mutable has no hash, so a set cannot hold it", ""),
        (set[Line], "Line has no hash, so a set cannot hold it", ""),
        (set[Cart], "Cart has no hash, so a set cannot hold it", ""),
        (set[Chain[list[int]]], "Chain has no hash, so a set cannot hold it", ""),
        (set[Basket[Basket[Line]]], "Basket has no hash, so a set cannot hold it", ""),
        (set[Table], "Table has no hash, so a set cannot hold it", ""),
        (set[Names], "Names has no hash, so a set cannot hold it", ""),
        (set[dict[str, int]], "dict has no hash, so a set cannot hold it", ""),
        (set[Any], "JSON has no hash, so a set cannot hold it", ""),
        (frozenset[tuple[list[int]]], "tuple has no hash, so a frozenset cannot hold it", ""),
        (set[tuple[list[int], ...]], "tuple has no hash, so a set cannot hold it", ""),
        (set[int | list[int]], "int | list has no hash, so a set cannot hold it", ""),
        (Literal[b"a", "YQ=="], 'two of "YQ==" | "YQ==" look the same in JSON', ""),
        (Shop, "str and datetime look the same in JSON", "Order.when"),
        (Names | tuple[int], "Names and tuple look the same in JSON", ""),
        (Box[str | datetime.date], "str and date look the same in JSON", "Box.item"),
        (
            NewType("Bad", dict[float, int]),
            f"the keys of a dict {MUST_BE}, and float is neither",
            "",
        ),
    ],
)
def test_unsupported(annotation: Any, problem: str, path: str) -> None:
    """A fault that shows only with all definitions is refused, with its path."""
    with pytest.raises(UnsupportedType) as caught:
        check(annotation)

    assert (caught.value.problem, caught.value.path) == (problem, path)


@pytest.mark.parametrize(
    ("annotation", "name"), [(Growing[int], "Growing"), (set[Spreading[int]], "Spreading")]
)
def test_growing_generic(annotation: Any, name: str) -> None:
    """A generic whose arguments grow at each level is refused."""
    with pytest.raises(UnsupportedType) as caught:
        check(annotation)

    assert caught.value.problem == f"{name} contains itself with ever longer arguments"
