"""Stubs have the defaults of the service, as far as source can express them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from inspect import signature
from types import ModuleType
from typing import Any, Generic, NamedTuple, NewType, TypeVar

import attrs
import pytest

import farcall
from farcall import service, stubgen, testing
from tests.unit.stubgen.running import imported

T = TypeVar("T")

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
Key = NewType("Key", uuid.UUID)
Price = NewType("Price", Decimal)
KEY, FREE = Key(ID), Price(Decimal(0))


class Side(str, enum.Enum):  # noqa: UP042
    """Which way."""

    BUY = "buy"
    SELL = "sell"


class Level(int, enum.Enum):
    LOW = 1


class Plain(enum.StrEnum):
    A = "a"


Shade = enum.Enum("Shade", {"dark red": "d"}, type=str)


@attrs.frozen
class Point:
    x: Decimal = Decimal("1.50")
    y: int = attrs.field(default=2, alias="ordinate")


@dataclass(frozen=True)
class Line:
    start: Point = Point()
    end: Point = Point(Decimal(3), 4)
    since: dt.datetime = dt.datetime(2000, 1, 1)


@attrs.frozen
class Box(Generic[T]):
    item: T


class Row(NamedTuple):
    at: Point = Point()
    id: uuid.UUID = ID


@attrs.frozen
class Listed:
    items: list[int]


@attrs.define
class Changing:
    count: int = 0


ROW, LISTED, CHANGING = Row(), Listed([1]), Changing()


@attrs.define
class Fields:
    price: Decimal = Decimal("1.10")
    within: dt.timedelta = dt.timedelta(days=1, milliseconds=500)
    none: dt.timedelta = dt.timedelta()
    day: dt.date = dt.date(2024, 2, 29)
    opens: dt.time = dt.time(9, 30)
    id: uuid.UUID = ID
    ids: frozenset[uuid.UUID] = frozenset({ID})
    key: Key = KEY
    line: Line = Line()
    row: Row = ROW
    points: tuple[Point, ...] = (Point(), Point(ordinate=3))
    changing: Changing = attrs.field(factory=Changing)
    either: Point | Listed | None = attrs.field(factory=Point)
    tags: list[str] = attrs.field(factory=list[str])
    empty: frozenset[int] = attrs.field(factory=frozenset)
    nothing: tuple[int, ...] = attrs.field(factory=tuple)
    text: str = attrs.field(factory=str)
    zero: Decimal = attrs.field(factory=Decimal)
    side: Side = Side.BUY


@dataclass
class DataFields:
    id: uuid.UUID = ID
    line: Line = Line()
    changing: Changing = dataclasses.field(default_factory=Changing)
    tags: set[str] = dataclasses.field(default_factory=set[str])


@attrs.define
class Unknown:
    """What may be another value each time is left to the server."""

    made: dt.datetime = dt.datetime(2000, 1, 1)
    id: uuid.UUID = attrs.field(factory=uuid.uuid4)
    text: str = "\ud800"
    zoned: dt.time = dt.time(1, tzinfo=dt.UTC)


@service
class Shop:
    async def arguments(
        self,
        price: Decimal = Decimal("1.10"),
        within: dt.timedelta = dt.timedelta(hours=-1),
        day: dt.date = dt.date(2024, 2, 29),
        opens: dt.time = dt.time(9, 30),
        id: uuid.UUID = ID,
        key: Key = KEY,
        total: Price | None = FREE,
        ids: frozenset[int] = frozenset({1}),
        line: Line = Line(),
        box: Box[int] | None = Box(1),
        row: Row = ROW,
        side: Side = Side.SELL,
        level: Level = Level.LOW,
        listed: Listed = LISTED,
    ) -> list[str]:
        return [str(price), str(within), str(line.end.x), side.value]

    async def left_out(
        self, changing: Changing = CHANGING, items: Sequence[int] = LISTED.items
    ) -> int:
        return changing.count + len(items)

    async def records(self, a: Fields, b: DataFields, c: Unknown, d: Plain, e: Shade) -> Fields:
        return a


@pytest.fixture(scope="module")
def stub() -> Iterator[ModuleType]:
    with imported(stubgen.render(Shop)) as module:
        yield module


def plain(value: Any) -> Any:
    """Take the classes off records, which are others in a stub."""
    if attrs.has(type(value)):
        return attrs.asdict(value, value_serializer=lambda _, __, each: plain(each))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.value if isinstance(value, enum.Enum) else value


def test_arguments_have_the_defaults_of_the_service(stub: ModuleType) -> None:
    """Immutable defaults of arguments are repeated in the stub, for every type."""
    original = signature(Shop.arguments).parameters

    for name, each in list(signature(stub.ShopProxy.arguments).parameters.items())[1:]:
        expected = plain(original[name].default)
        if name == "line":
            expected["since"] = farcall.OMIT
        assert plain(each.default) == expected, name


def test_fields_have_the_defaults_of_the_service(stub: ModuleType) -> None:
    """Defaults of fields are repeated in the stub, also those of simple factories."""
    for cls in (Fields, DataFields):
        expected = plain(cls())
        expected["line"]["since"] = farcall.OMIT
        assert plain(getattr(stub, cls.__name__)()) == expected


def test_what_can_change_is_made_anew(stub: ModuleType) -> None:
    """A mutable default of a field is made anew for each record."""
    one, other = stub.Fields(), stub.Fields()

    assert one.changing is not other.changing
    assert one.tags is not other.tags


@pytest.mark.parametrize("name", ["made", "id", "text", "zoned"])
def test_what_no_source_can_hold_is_left_to_the_server(stub: ModuleType, name: str) -> None:
    """A default without a source is OMIT, and the server's applies."""
    assert getattr(stub.Unknown(), name) is farcall.OMIT


def test_an_argument_that_can_change_is_left_to_the_server(stub: ModuleType) -> None:
    """A mutable default of an argument is OMIT, because all calls would share it."""
    parameters = signature(stub.ShopProxy.left_out).parameters

    assert parameters["changing"].default is parameters["items"].default is farcall.OMIT


async def test_defaults_arrive(stub: ModuleType) -> None:
    """Defaults arrive at the service, in arguments and in fields of records."""
    async with testing.open_pair(Shop(), stub.ShopProxy) as pair:
        shop = pair.client
        assert await shop.arguments() == ["1.10", "-1 day, 23:00:00", "3", "sell"]
        assert await shop.left_out() == 1
        record = await shop.records(
            stub.Fields(), stub.DataFields(), stub.Unknown(), stub.Plain.A, stub.Shade["dark red"]
        )

    assert plain(record) == plain(Fields())


def test_an_enum_that_mixes_in_text_stays_one(stub: ModuleType) -> None:
    """An enum that mixes in str or int stays one in the stub."""
    assert isinstance(stub.Side.BUY, str)
    assert str(stub.Side.BUY) == "Side.BUY"
    assert f"{stub.Level.LOW}" == "Level.LOW"
    assert stub.Level.LOW + 1 == 2
    assert str(stub.Shade["dark red"]) == "Shade.dark red"
    assert stub.Shade["dark red"] == "d"
    assert str(stub.Plain.A) == "a"
    source = stubgen.render(Shop)
    assert "class Side(str, Enum):" in source
    assert "class Level(int, Enum):" in source
    assert "class Plain(StrEnum):" in source
