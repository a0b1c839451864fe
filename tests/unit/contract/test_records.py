"""The fields of records."""

from __future__ import annotations

import dataclasses
from dataclasses import InitVar, dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NamedTuple,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)

import attrs
import pytest

from farcall._contract.records import attribute_names, kind_of, read_fields
from farcall._contract.spec import RecordKind, UnsupportedType
from farcall._contract.traits import is_frozen
from farcall.errors import ApplicationError

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


@attrs.frozen
class Quote:
    symbol: str
    _price: float = attrs.field(default=1.0, alias="price")
    tags: list[str] = attrs.field(factory=list, kw_only=True)
    seen: int = attrs.field(init=False, default=0)
    market: ClassVar[str] = "ACME"


@dataclass(frozen=True)
class Order:
    symbol: str
    lines: list[int] = dataclasses.field(default_factory=list)
    _: dataclasses.KW_ONLY
    limit: float | None = None
    seen: int = dataclasses.field(init=False, default=0)


@dataclass
class Plain:
    pass


class Base(TypedDict):
    id: int
    hint: NotRequired[str]


class Partial(Base, total=False):
    name: str
    must: Required[str]


class Point(NamedTuple):
    x: int
    y: int = 2


@attrs.define
class Declared(ApplicationError):
    symbol: str


class Bare(ApplicationError):
    pass


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (Quote, "attrs"),
        (Order, "dataclass"),
        (Base, "typeddict"),
        (Point, "namedtuple"),
        (Declared, "error"),
        (Bare, "error"),
        (tuple, None),
        (dict, None),
        (int, None),
    ],
)
def test_kind(cls: type, kind: RecordKind | None) -> None:
    """Each kind of record is told from the others, and from other classes."""
    assert kind_of(cls) == kind


def test_frozen() -> None:
    """Attrs classes and dataclasses can be frozen, other records cannot."""
    assert is_frozen(Quote)
    assert is_frozen(Order)
    assert not is_frozen(Plain)
    assert not is_frozen(Declared)
    assert not is_frozen(Point)


def seen(cls: type) -> list[tuple[str, str, Any, bool, bool]]:
    return [
        (each.name, each.attribute, each.annotation, each.is_required, each.keyword_only)
        for each in read_fields(cls)
    ]


def test_attrs_fields() -> None:
    """Fields have the names of the constructor's arguments; other attributes do not cross."""
    assert seen(Quote) == [
        ("symbol", "symbol", str, True, False),
        ("price", "_price", float, False, False),
        ("tags", "tags", list[str], False, True),
    ]
    assert attribute_names(Quote)["price"] == "_price"
    assert [each.default for each in read_fields(Quote)][:2] == [attrs.NOTHING, 1.0]


def test_dataclass_fields() -> None:
    """The fields of a dataclass are read."""
    assert seen(Order) == [
        ("symbol", "symbol", str, True, False),
        ("lines", "lines", list[int], False, False),
        ("limit", "limit", float | None, False, True),
    ]
    assert attribute_names(Order) == {}
    assert read_fields(Order)[1].default == attrs.Factory(list)


def test_typeddict_fields() -> None:
    """Each key is required or not, also if annotations are strings."""
    assert seen(Partial) == [
        ("id", "id", int, True, False),
        ("hint", "hint", str, False, False),
        ("name", "name", str, False, False),
        ("must", "must", str, True, False),
    ]


def test_namedtuple_fields() -> None:
    """The fields of a NamedTuple are read."""
    assert seen(Point) == [("x", "x", int, True, False), ("y", "y", int, False, False)]
    assert read_fields(Point)[1].default == 2


def test_error_without_fields() -> None:
    """An error that is not an attrs class has no fields."""
    assert read_fields(Bare) == ()
    assert seen(Declared) == [("symbol", "symbol", str, True, False)]


@attrs.define
class Hidden:
    at: Decimal


@attrs.define
class Nonsense:
    at: int


Nonsense.__annotations__["at"] = "1 + None"


@dataclass
class Seeded:
    seed: InitVar[int]


@attrs.define(init=False)
class Handmade:
    symbol: str

    def __init__(self, text: str) -> None:
        self.symbol = text


class Talkative(ApplicationError):
    def __init__(self, text: str) -> None:
        super().__init__(text)


@attrs.define
class Shadowing(ApplicationError):
    args: int  # type: ignore[assignment]


class Undecorated(ApplicationError):
    symbol: str


class Derived(Quote):
    size: int


class DerivedData(Plain):
    size: int


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (Undecorated, "'symbol' is annotated but not a field"),
        (Derived, "'size' is annotated but not a field"),
        (DerivedData, "'size' is annotated but not a field"),
        (Hidden, "the name 'Decimal' in its annotations is not defined in "),
        (Nonsense, "its annotations cannot be evaluated (unsupported operand"),
        (Seeded, "its constructor takes other arguments than its fields"),
        (Handmade, "its constructor takes other arguments than its fields"),
        (Talkative, "it has its own constructor, so its fields are unknown"),
        (Shadowing, "'args' is already an attribute of every error"),
    ],
)
def test_unreadable(cls: type, problem: str) -> None:
    """A class that its fields cannot make again is refused."""
    with pytest.raises(UnsupportedType) as caught:
        read_fields(cls)

    assert caught.value.problem.startswith(problem)
    assert caught.value.path == cls.__name__
