"""Streams and uploads on proxies: of a stub, and typed by the service class."""

from __future__ import annotations

import copy
import inspect
import pydoc
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager

import attrs
import pytest

import farcall
from farcall import (
    ApplicationError,
    Proxy,
    RemoteSignal,
    Signal,
    endpoint,
    service,
    stream,
    stream_endpoint,
)
from farcall._declare import service_of
from farcall.testing import open_pair


@attrs.define
class Closed(ApplicationError):
    symbol: str


@attrs.frozen
class Quote:
    symbol: str
    price: float = 1.0


async def add(a: int, b: int) -> int:
    return a + b


@service
class Market:
    """Sells."""

    def __init__(self) -> None:
        self.has_ended = False

    @stream(raises=[Closed])
    async def history(self, symbol: str, count: int = 2) -> AsyncIterator[Quote]:
        """Tell the prices of old."""
        try:
            for number in range(count):
                yield Quote(symbol, number)
            raise Closed(symbol)
        finally:
            self.has_ended = True

    async def place(self, orders: AsyncIterable[Quote], *, at: str) -> str:
        symbols = [order.symbol async for order in orders]
        return f"{'+'.join(symbols)} {at}"

    @stream
    async def doubled(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield 2 * number


class MarketStub(Proxy, service="Market", contract=service_of(Market).digest):
    @stream_endpoint("Market.history", raises=[Closed])
    def history(
        self, symbol: str, count: int = 2
    ) -> AbstractAsyncContextManager[AsyncIterator[Quote]]:
        """Tell the prices of old."""
        raise NotImplementedError

    @endpoint("Market.place")
    async def place(self, orders: AsyncIterable[Quote], *, at: str) -> str:
        raise NotImplementedError

    @stream_endpoint("Market.doubled")
    def doubled(
        self, numbers: AsyncIterable[int]
    ) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        raise NotImplementedError


PROXIES = [Market, MarketStub]

either = pytest.mark.parametrize("proxy", PROXIES)


async def orders() -> AsyncIterator[Quote]:
    for symbol in ("A", "B"):
        yield Quote(symbol)


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


@either
async def test_stream(proxy: type[Market] | type[MarketStub]) -> None:
    """Items have their types, and a declared error after them is raised as itself."""
    seen = list[Quote]()
    async with open_pair(Market(), proxy) as (market, _):
        with pytest.raises(Closed) as caught:  # noqa: PT012 - a block is what is tested
            async with market.history("ACME") as quotes:
                async for quote in quotes:
                    seen.append(quote)

    assert seen == [Quote("ACME", 0), Quote("ACME", 1)]
    assert caught.value.symbol == "ACME"


@either
async def test_early_exit(proxy: type[Market] | type[MarketStub]) -> None:
    """When the block of a stream ends, the generator of the server has ended."""
    service = Market()
    async with open_pair(service, proxy) as (market, _):
        async with market.history("ACME", count=1_000_000) as quotes:
            await anext(quotes)

        assert service.has_ended


@either
async def test_upload(proxy: type[Market] | type[MarketStub]) -> None:
    """An upload can be sent beside ordinary arguments."""
    async with open_pair(Market(), proxy) as (market, _):
        assert await market.place(orders(), at="noon") == "A+B noon"


@either
async def test_both_ways(proxy: type[Market] | type[MarketStub]) -> None:
    """A stream may take an upload."""
    async with (
        open_pair(Market(), proxy) as (market, _),
        market.doubled(numbers()) as doubled,
    ):
        assert [number async for number in doubled] == [2, 4]


@either
async def test_a_method_is_shown_as_that_of_the_service(
    proxy: type[Market] | type[MarketStub],
) -> None:
    """A proxy's method has the name, docstring and signature of the service's method."""
    async with open_pair(Market(), proxy) as (market, _):
        for method in (market.history, market.place):
            written = getattr(proxy, method.__name__)
            assert method.__qualname__ == f"{proxy.__name__}.{method.__name__}"
            assert method.__module__ == __name__
            assert method.__doc__ == written.__doc__
            expected = list(inspect.signature(written).parameters.values())[1:]
            assert list(inspect.signature(method).parameters.values()) == expected
        assert market.history.__doc__ == "Tell the prices of old."


@either
async def test_a_call_without_await_is_named(
    proxy: type[Market] | type[MarketStub],
) -> None:
    """Python's warning for a call without await names the method."""
    async with open_pair(Market(), proxy) as (market, _):
        with pytest.warns(RuntimeWarning, match=rf"'{proxy.__name__}\.place' was never awaited"):
            market.place(orders(), at="noon")  # type: ignore[unused-coroutine]


async def test_a_proxy_of_a_class_is_documented_as_the_class() -> None:
    """`help(market)` shows the docstring of the service and its endpoints alone."""
    async with open_pair(Market(), Market) as (market, _):
        shown = pydoc.plain(pydoc.render_doc(market))

    assert "Market in module" in shown
    assert "Sells." in shown
    assert "history(self, symbol: 'str', count: 'int' = 2)" in shown
    assert "Tell the prices of old." in shown
    assert "has_ended" not in shown


async def test_a_function_has_its_own_parameters() -> None:
    """Functions served by `functions()` show their own parameters, without self."""
    calculator = farcall.functions(add, name="calc")
    async with open_pair(calculator, type(calculator)) as (calc, _):
        method = calc.add  # type: ignore[attr-defined]
        assert list(inspect.signature(method).parameters) == ["a", "b"]
        assert method.__qualname__ == "add"
        assert await method(1, b=2) == 3


async def test_a_proxy_of_a_class_can_be_looked_at() -> None:
    """A proxy can be copied, and one without `__init__` does not recurse."""
    async with open_pair(Market(), Market) as (market, connection):
        assert await copy.copy(market).place(orders(), at="noon") == "A+B noon"
        assert type(connection.proxy(Market)) is type(market)

    with pytest.raises(AttributeError, match="Market has no _caller"):
        repr(type(market).__new__(type(market)))


@either
async def test_wrong_arguments(proxy: type[Market] | type[MarketStub]) -> None:
    """A stream call with wrong arguments raises TypeError, as in local code."""
    async with open_pair(Market(), proxy) as (market, _):
        with pytest.raises(TypeError, match="symbol"):
            async with market.history():  # type: ignore[call-arg]
                pass
        with pytest.raises(farcall.EncodeError, match="symbol"):
            async with market.history(7):  # type: ignore[arg-type]
                pass


@service
class Feed:
    ticked: Signal[Quote] = Signal(key="symbol")
    opened: Signal[bool] = Signal()


class FeedStub(Proxy, service="Feed", contract=service_of(Feed).digest):
    ticked: RemoteSignal[Quote, str] = RemoteSignal("Feed.ticked")
    opened: RemoteSignal[bool] = RemoteSignal("Feed.opened")


@pytest.mark.parametrize("proxy", [Feed, FeedStub])
async def test_a_wrong_key_is_found_before_anything_is_sent(
    proxy: type[Feed] | type[FeedStub],
) -> None:
    """A key raises EncodeError for a wrong type, TypeError for a signal without keys."""
    feed = Feed()
    async with open_pair(feed, proxy) as (client, connection):
        before = connection.statistics().frames_in
        for signals in (client, feed):
            with pytest.raises(farcall.EncodeError, match="expected str, got int @ key"):
                signals.ticked.subscribe(key=7)  # type: ignore[arg-type, unused-ignore]
            with pytest.raises(TypeError, match=r"Feed\.opened has no key"):
                signals.opened.subscribe(key="A")  # type: ignore[arg-type, unused-ignore]

        assert connection.statistics().frames_in == before


@pytest.mark.parametrize("proxy", [Feed, FeedStub])
async def test_a_right_key_filters(proxy: type[Feed] | type[FeedStub]) -> None:
    """Values with other keys do not arrive."""
    feed = Feed()
    async with (
        open_pair(feed, proxy) as (client, _),
        client.ticked.subscribe(key="B") as ticks,
        client.opened.subscribe() as opened,
    ):
        feed.ticked.emit(Quote("A"))
        feed.ticked.emit(Quote("B"))
        feed.opened.emit(True)

        assert await anext(ticks) == Quote("B")
        assert await anext(opened) is True


@service
class Registry:
    async def farcall_service(self) -> str:
        return "service"

    async def farcall_contract(self) -> str:
        return "contract"


class RegistryStub(Proxy, service="Registry", contract=service_of(Registry).digest):
    @endpoint("Registry.farcall_service")
    async def farcall_service(self) -> str:
        raise NotImplementedError

    @endpoint("Registry.farcall_contract")
    async def farcall_contract(self) -> str:
        raise NotImplementedError


async def test_every_public_name_is_free_for_endpoints() -> None:
    """No attribute of a stub hides an endpoint of the same name."""
    async with open_pair(Registry(), RegistryStub) as (registry, _):
        assert await registry.farcall_service() == "service"
        assert await registry.farcall_contract() == "contract"

    assert [name for name in dir(Proxy) if not name.startswith("_")] == []
