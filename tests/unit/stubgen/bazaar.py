"""A service with every type, and with names that its stub needs for other things."""

from __future__ import annotations

import builtins
import datetime as dt
import enum
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from zoneinfo import ZoneInfo

import attrs
import trio

import farcall
from farcall import ApplicationError, Signal, method, service, stream

T = TypeVar("T")
UTC = ZoneInfo("UTC")
HOME = PurePosixPath("a b")


class Side(enum.Enum):
    """Which way a deal goes."""

    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2
    TOP = 2


Shade = enum.Enum("Shade", {"dark red": 1, "light red": 2})
Symbol = NewType("Symbol", str)


@dataclass(order=True, slots=True)
class Weight:
    grams: int = 0


@attrs.frozen(order=True, slots=False)
class Height:
    metres: float = attrs.field(alias="value")
    _unit: str = attrs.field(default="m", alias="unit")


@attrs.frozen
class Page(Generic[T]):
    """Some of many."""

    items: list[T]
    next: Page[T] | None = None


@attrs.define
class Deal:
    symbol: Symbol
    side: Side = Side.BUY
    tags: list[str] = attrs.field(factory=list)
    weights: tuple[float, ...] = (0.5, 1e16)
    at: dt.datetime = dt.datetime(2000, 1, 1)
    maker: Symbol = Symbol("own")
    spares: tuple[Symbol | None, ...] = (Symbol("A-0"), None)
    parts: list[Deal] = attrs.field(factory=list, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A place to sell."""

    name: str = 'The "Blue" one'
    opens: dt.time
    closes: dt.time
    table: dict[str, Decimal] = field(default_factory=dict)


class Weather(TypedDict):
    sky: Literal["clear", "grey"]
    wind: NotRequired[float]


Headers = TypedDict("Headers", {"content-type": str, "length": NotRequired[int]})


class Point(NamedTuple):
    """Where something is."""

    x: int
    y: int = 0


Place = Point


@attrs.frozen
class Diary:
    """Its fields are called as their types are."""

    date: dt.date
    int: builtins.int
    list: builtins.list[Any]
    Point: Place


@attrs.define
class SoldOut(ApplicationError):
    """There is none left."""

    code: ClassVar[int] = 7

    symbol: Symbol


@attrs.define
class NeverMade(SoldOut):
    since: dt.date | None = None


@attrs.define
class Closed(ApplicationError):
    pass


Goods = NewType("Goods", Page[Deal])


@service
class Bazaar:
    r"""Everything at once.

    A path such as C:\goods is no trouble.
    """

    sold: Signal[Deal] = Signal(key="symbol", retain=True)
    """Each deal, to whoever asks for its symbol."""
    rained: Signal[Weather | None] = Signal(name="rain")

    @method(raises=[NeverMade, SoldOut, Closed])
    async def buy(
        self,
        symbol: Symbol,
        /,
        quantity: int = 1,
        *,
        side: Side = Side.BUY,
        level: Literal[Level.LOW, Level.HIGH, 7, b"x", None] = Level.LOW,
        within: dt.timedelta = dt.timedelta(seconds=1),
    ) -> Deal:
        """Buy "something"."""
        if not quantity:
            raise NeverMade(symbol)
        return Deal(symbol, side, at=dt.datetime(2020, 1, 1) + within * quantity)

    async def list(self, start: int = 0, near: Symbol | None = Symbol("A-0")) -> Goods:
        return Goods(Page([], None))

    async def weights(self, heights: Sequence[Height]) -> builtins.list[Weight]:
        return [Weight(round(each.metres)) for each in heights]

    async def find(self, ids: frozenset[uuid.UUID], names: Sequence[str]) -> set[str] | bool:
        return set(names)

    async def describe(
        self,
        stall: Stall,
        point: Point,
        headers: Headers,
        diary: Diary,
        shade: Shade,
        anything: farcall.Json,
    ) -> Mapping[str, tuple[int, str, bytes]]:
        return {stall.name: (point.x, headers["content-type"], bytes(diary.int))}

    async def track(
        self,
        hosts: dict[int, IPv4Address | None],
        path: PurePosixPath = HOME,
        share: Fraction = Fraction(1, 3),
        zone: ZoneInfo = UTC,
    ) -> tuple[ZoneInfo, Fraction]:
        return zone, share * len(hosts)

    def name(self) -> str:
        return type(self).__name__

    async def open(
        self, stall: Stall, *, task_status: trio.TaskStatus[Page[Deal]] = trio.TASK_STATUS_IGNORED
    ) -> int:
        """Sell until the evening."""
        task_status.started(Page([], None))
        return len(stall.name)

    @stream(raises=[Closed])
    async def deals(self, symbol: Symbol, /, start: int = 0) -> AsyncIterator[Deal]:
        """Tell the deals of old."""
        yield Deal(symbol)
        raise Closed

    async def restock(self, deals: AsyncIterable[Deal], *, note: str = "") -> int:
        return len([deal async for deal in deals])

    @stream
    async def weigh(self, weights: AsyncIterable[float]) -> AsyncIterator[Decimal | None]:
        async for weight in weights:
            yield Decimal(str(weight))

    @method(oneway=True)
    async def ring(self, times: int | None = None) -> None: ...
