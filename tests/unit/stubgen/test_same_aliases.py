"""Stubs use the type aliases of the service."""

import datetime as dt
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from types import ModuleType
from typing import Annotated, Literal, NamedTuple, NewType, TypeAlias, TypeVar

import attrs
import pytest
import trio
from typing_extensions import TypeAliasType

from farcall import ApplicationError, Signal, functions, method, service, stream, stubgen, testing
from tests.unit.stubgen import kinds
from tests.unit.stubgen.kinds import Sku
from tests.unit.stubgen.running import imported

T = TypeVar("T")


@attrs.frozen
class Point:
    x: int
    y: "Number" = 0


Symbol: TypeAlias = str
Number: TypeAlias = int | float
Points: TypeAlias = list[Point]
Table: TypeAlias = dict[Symbol, Points | None]
Side: TypeAlias = Literal["buy", "sell"]
Place = Point
Prices = dict[str, float]
Own = TypeAliasType("Own", tuple[Number, Number])
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Pairs: TypeAlias = list[tuple[T, T]]
Key = NewType("Key", Symbol)
Moment = dt.datetime
Nested: TypeAlias = Table
Nothing: TypeAlias = None


class Row(NamedTuple):
    symbol: Symbol
    quoted: "Symbol | None" = None


@attrs.define
class Gone(ApplicationError):
    symbol: Symbol


@service
class Aliased:
    moved: Signal[Points] = Signal()
    sold: Signal[Row] = Signal(key="symbol")
    closed = Signal[Side]()

    @method(raises=[Gone])
    async def get(
        self,
        symbol: Symbol,
        number: Number,
        either: Number | None,
        many: list[Number | None],
        /,
        table: Table,
        side: Side = "buy",
        *,
        place: Place = Place(1),  # noqa: B008
        sku: Sku = "a",
        rows: kinds.Rows,
        plain: str = "",
    ) -> Points:
        return [place]

    async def more(
        self, own: Own, pair: Pair[int], pairs: Pairs[int], key: Key, prices: Prices | None
    ) -> Nested:
        return {}

    async def noted(self, symbol: Annotated[Symbol, "of a share"], at: Moment) -> Nothing: ...

    @stream
    async def walk(self, points: AsyncIterable[Place]) -> AsyncIterator[Number]:
        async for point in points:
            yield point.x

    async def run(self, *, task_status: trio.TaskStatus[Symbol]) -> "Symbol":
        task_status.started("a")
        return "b"


@pytest.fixture(scope="module")
def source() -> str:
    return stubgen.render(Aliased)


@pytest.fixture(scope="module")
def stub(source: str) -> Iterator[ModuleType]:
    with imported(source) as module:
        yield module


@pytest.mark.parametrize(
    "line",
    [
        "Symbol: TypeAlias = str",
        "Number: TypeAlias = int | float",
        "Points: TypeAlias = list[Point]",
        "Table: TypeAlias = dict[Symbol, Points | None]",
        'Side: TypeAlias = Literal["buy", "sell"]',
        "Place: TypeAlias = Point",
        "Prices: TypeAlias = dict[str, float]",
        "Own: TypeAlias = tuple[Number, Number]",
        "Sku: TypeAlias = str",
        "Moment: TypeAlias = datetime",
        "Nothing: TypeAlias = None",
        "    y: Number = 0",
        "    symbol: Symbol",
        "    quoted: Symbol | None = None",
        "        symbol: Symbol,",
        "        number: Number,",
        "        either: Number | None,",
        "        many: list[Number | None],",
        "        table: Table,",
        '        side: Side = "buy",',
        "        place: Place = Point(x=1),",
        '        sku: Sku = "a",',
        '        plain: str = "",',
        "        rows: Rows,",
        "Rows: TypeAlias = list[Sku]",
        "    ) -> Points:",
        "        own: Own,",
        "        pair: tuple[int, int],",
        "        pairs: list[tuple[int, int]],",
        "        prices: Prices | None,",
        "    ) -> Nested:",
        '    moved: farcall.RemoteSignal[Points] = farcall.RemoteSignal("Aliased.moved")',
        '    sold: farcall.RemoteSignal[Row, Symbol] = farcall.RemoteSignal("Aliased.sold")',
        '    closed: farcall.RemoteSignal[Side] = farcall.RemoteSignal("Aliased.closed")',
        "    async def noted(self, symbol: Symbol, at: Moment) -> Nothing:",
        "        points: AsyncIterable[Place],",
        "        task_status: trio.TaskStatus[Symbol] = trio.TASK_STATUS_IGNORED,",
        "    async def run(",
        'Key = NewType("Key", str)',
    ],
)
def test_an_alias_is_defined_and_used(source: str, line: str) -> None:
    """A stub defines the aliases of the service, also those imported from another module."""
    pattern = re.escape(line).replace(r"\ ", r"\s*").replace(",", ",?")

    assert re.search(pattern, source), source


async def test_a_stub_with_aliases_works(stub: ModuleType) -> None:
    """A proxy whose annotations use aliases encodes and decodes their types."""
    async with testing.open_pair(Aliased(), stub.AliasedProxy) as pair:
        points = await pair.client.get("a", 1, None, [1.5, None], {"a": None}, rows=["a"])

    assert points == [stub.Point(1)]
    assert {"Symbol", "Points", "Place"} <= set(stub.__all__)


Thing: TypeAlias = list[str]


def other() -> type:
    @attrs.frozen
    class Thing:
        a: int

    return Thing


OtherThing = other()


async def take(thing: Thing, other: OtherThing) -> None: ...  # type: ignore[valid-type]


Value: TypeAlias = list[str]


class Elsewhere:
    Value: TypeAlias = list[int]


@attrs.frozen
class Holder:
    value: Value
    Number: Number


async def hold(holder: Holder, values: Elsewhere.Value) -> None: ...


def test_an_alias_that_would_mean_something_else_is_written_out() -> None:
    """An alias with the name of a type or member is replaced by its type."""
    one = stubgen.render(functions(take, name="one"))
    two = stubgen.render(functions(hold, name="two"))

    assert "async def take(self, thing: list[str], other: Thing) -> None:" in one
    assert "Value: TypeAlias = list[str]" in two
    assert "values: list[int]" in two
    assert "Number: int | float" in two


def test_an_alias_of_a_function_is_not_found() -> None:
    """An alias that is local to a function is replaced by its type."""
    Local: TypeAlias = list[int]

    async def take(values: Local) -> None: ...

    assert "values: list[int]" in stubgen.render(functions(take, name="local"))
