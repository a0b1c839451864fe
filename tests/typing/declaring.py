"""The decorators keep types as they are, and refuse wrong options."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import assert_type

from farcall import (
    ApplicationError,
    Signal,
    Via,
    background,
    functions,
    local,
    method,
    register_type,
    service,
    stream,
)


class Closed(ApplicationError):
    """A declared error."""


@service
class Market:
    """Decorators with and without parentheses keep the signature."""

    ticked: Signal[float] = Signal(retain=True)

    @method
    async def quote(self, symbol: str) -> float:
        """Return a price."""
        return 1.0

    @method(name="purchase", raises=[Closed])
    async def buy(self, symbol: str, *, count: int = 1) -> str:
        """Buy some."""
        return "bought"

    @local
    def reset(self) -> int:
        """Begin again."""
        return 1

    @background
    async def tick(self) -> None:
        """Emit a price."""


@service(name="shop")
class Shop(Market):
    """A subclass can be a service."""


class Color:
    """A class that is no record."""

    def __init__(self, text: str) -> None:
        self.text = text

    def channels(self) -> list[int]:
        """Return three numbers."""
        return [0, 0, 0]


def own_types() -> None:
    """The functions of a registration agree with the class and the type on the wire."""
    register_type(Color, str, encode=lambda color: color.text, decode=Color)
    register_type(Color, str, encode=repr, decode=Color)
    register_type(Color, list[int], encode=Color.channels, decode=lambda c: Color(str(c[0])))
    assert_type(Via(str, encode=repr, decode=Color), Via[Color, str])

    register_type(Color, int, encode=lambda color: color.text, decode=lambda _: Color(""))  # type: ignore[arg-type, return-value]
    register_type(Color, str, encode=str, decode=len)  # type: ignore[arg-type]
    register_type(Color, bytes, encode=Color.channels, decode=Color)  # type: ignore[arg-type]
    register_type(Color, str, encode=str)  # type: ignore[call-arg]
    Via(bytes, encode=bytes, decode=Color)  # type: ignore[arg-type, misc]


def right(market: Market) -> None:
    """Members have their declared types."""
    assert_type(Market(), Market)
    assert_type(Shop(), Shop)
    assert_type(market.reset(), int)
    functions(right, name="checks")


async def right_too(market: Market) -> None:
    """Async members have their declared types."""
    assert_type(await market.quote("A"), float)
    assert_type(await market.buy("A", count=2), str)
    assert_type(await market.tick(), None)


async def wrong(market: Market) -> None:
    """A wrong call of a decorated member is an error."""
    await market.quote(1)  # type: ignore[arg-type]
    await market.buy("A", 2)  # type: ignore[call-arg]
    await market.buy("A", count="2")  # type: ignore[arg-type]
    functions(right)  # type: ignore[call-arg]


class WrongOptions:
    """Options of decorators have types."""

    @method(raises=[KeyError])  # type: ignore[list-item]
    async def first(self) -> None:
        """Declare an error of another class."""

    @method(oneway="yes")  # type: ignore[call-overload, untyped-decorator]
    async def second(self) -> None:
        """Return a value from a one-way method."""


def streams(
    history: Callable[[str], AsyncIterator[float]],
    generated: Callable[[str], AsyncGenerator[float, None]],
    iterable: Callable[[str], AsyncIterable[float]],
    load: Callable[[str], Awaitable[float]],
) -> None:
    """A stream is a context manager on every side."""
    assert_type(
        stream(history)("A"),
        AbstractAsyncContextManager[AsyncIterator[float]],
    )
    assert_type(
        stream(name="past", raises=[Closed])(generated)("A"),
        AbstractAsyncContextManager[AsyncIterator[float]],
    )
    assert_type(
        stream()(iterable)("A"),
        AbstractAsyncContextManager[AsyncIterator[float]],
    )
    stream(load)  # type: ignore[arg-type]
    stream()(load)  # type: ignore[arg-type]
    stream(oneway=True)(history)  # type: ignore[call-overload]
    stream(raises=[KeyError])(history)  # type: ignore[list-item]


class Exchange:
    """In a class a stream is a method."""

    @stream(name="trades")
    async def trades(self, symbol: str, *, limit: int = 10) -> AsyncIterator[float]:
        """Yield each trade."""
        yield 1.0

    @stream
    async def halved(self, numbers: AsyncIterable[float]) -> AsyncIterator[float]:
        """Halve each number."""
        async for number in numbers:
            yield number / 2


async def streams_of_an_object(exchange: Exchange, names: AsyncIterator[str]) -> None:
    """A stream has the parameters and items of its generator."""
    async with exchange.trades("A", limit=3) as trades:
        assert_type(trades, AsyncIterator[float])
    exchange.trades("A", 3)  # type: ignore[call-arg]
    exchange.trades(1)  # type: ignore[arg-type]
    exchange.halved(names)  # type: ignore[arg-type]
