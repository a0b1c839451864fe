"""Stubs, proxies and sessions: right uses by `assert_type`, wrong ones by an ignored error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, assert_type

import trio

import farcall
from examples.market import service
from examples.market.service import Market
from farcall import BoundRemoteSignal, RemoteSignal, Session, Subscription
from farcall.testing import Pair, open_pair
from stubs.market import Holding, MarketProxy, Quote
from tests.typing.generated.bazaar import BazaarProxy, Deal, Page, Stall, Symbol, Weather


async def calls(market: MarketProxy) -> None:
    assert_type(await market.quote("ACME"), Quote)
    assert_type(await market.symbols(), list[str])
    assert_type(await market.buy("ACME", 3, limit=1.5), str)

    market.quote("ACME")  # type: ignore[unused-coroutine]
    await market.quote(7)  # type: ignore[arg-type]
    await market.quote()  # type: ignore[call-arg]
    await market.quote("ACME", "GLOBEX")  # type: ignore[call-arg]
    await market.buy("ACME", "3")  # type: ignore[arg-type]
    await market.buy("ACME", 3, 1.5)  # type: ignore[call-arg]
    await market.sell("ACME")  # type: ignore[attr-defined]
    market.quote("ACME").price  # type: ignore[attr-defined]
    (await market.quote("ACME")).cost  # type: ignore[attr-defined]


async def signals(market: MarketProxy) -> None:
    async with market.ticked.subscribe(key="ACME", on_lag="latest") as ticks:
        assert_type(ticks, Subscription[Quote])
        async for tick in ticks:
            assert_type(tick, Quote)

    market.ticked.subscribe(on_lag="never")  # type: ignore[arg-type]
    market.ticked.subscribe(key=7)  # type: ignore[arg-type]
    market.ticked.subscribe(key=None)
    market.ticked.emit(Quote("ACME", 1.0))  # type: ignore[attr-defined]


async def keys(bazaar: BazaarProxy, session: Session) -> None:
    assert_type(bazaar.sold, BoundRemoteSignal[Deal, Symbol])
    assert_type(BazaarProxy.rained, RemoteSignal[Weather | None])
    bazaar.sold.subscribe(key=Symbol("A-1"))
    bazaar.rained.subscribe(on_lag="latest")

    bazaar.sold.subscribe(key="A-1")  # type: ignore[arg-type]
    bazaar.rained.subscribe(key="A-1")  # type: ignore[arg-type]
    async with session.listen("rain", returns=int, on_lag="latest") as rain:
        assert_type(rain, Subscription[int])
    async with bazaar.sold.listen() as deals:
        assert_type(deals, Subscription[Deal])

    bazaar.sold.listen(key=Symbol("A-1"))  # type: ignore[call-arg]
    session.listen("rain", key="A-1")  # type: ignore[call-overload]
    session.subscribe("rain", key="A-1")
    session.subscribe("rain", key=1.5)  # type: ignore[call-overload]


async def tasks(bazaar: BazaarProxy, stall: Stall, status: trio.TaskStatus[Page[Deal]]) -> None:
    async with trio.open_nursery() as nursery:
        page: Page[Deal] = await nursery.start(bazaar.open, stall)
        assert_type(page, Page[Deal])
    assert_type(await bazaar.open(stall), int)
    assert_type(await bazaar.open(stall, task_status=status), int)

    await bazaar.open(stall, task_status=3)  # type: ignore[arg-type]
    await bazaar.open(stall, status)  # type: ignore[call-arg]


async def quotes() -> AsyncIterator[Quote]:
    yield Quote("ACME", 1.0)


async def holdings() -> AsyncIterator[Holding]:
    yield Holding("ACME", 1)


async def streams(market: MarketProxy) -> None:
    assert_type(
        market.history("ACME"),
        AbstractAsyncContextManager[AsyncIterator[Quote]],
    )
    async with market.history("ACME") as history:
        async for quote in history:
            assert_type(quote, Quote)
            number: float = quote  # type: ignore[assignment]
            quote.quantity  # type: ignore[attr-defined]

    market.history(7)  # type: ignore[arg-type]
    market.history()  # type: ignore[call-arg]
    await market.history("ACME")  # type: ignore[misc]
    async for _ in market.history("ACME"):  # type: ignore[attr-defined]
        pass


async def uploads(market: MarketProxy) -> None:
    assert_type(await market.worth(holdings()), float)

    await market.worth(quotes())  # type: ignore[arg-type]
    await market.worth([Holding("ACME", 1)])  # type: ignore[arg-type]
    await market.worth()  # type: ignore[call-arg]


async def own_quotes() -> AsyncIterator[service.Quote]:
    yield service.Quote("ACME", 1.0)


async def own_holdings() -> AsyncIterator[service.Holding]:
    yield service.Holding("ACME", 1)


async def streams_by_class(market: Market) -> None:
    async with market.history("ACME") as history:
        assert_type(history, AsyncIterator[service.Quote])
        async for quote in history:
            number: float = quote  # type: ignore[assignment]
    assert_type(await market.worth(own_holdings()), float)

    market.history(7)  # type: ignore[arg-type]
    await market.history("ACME")  # type: ignore[misc]
    await market.worth(own_quotes())  # type: ignore[arg-type]


async def both_ways(bazaar: BazaarProxy, weights: AsyncIterator[float]) -> None:
    async with bazaar.weigh(weights) as weighed:
        assert_type(weighed, AsyncIterator[Decimal | None])

    bazaar.weigh(quotes())  # type: ignore[arg-type]


async def connecting() -> None:
    async with farcall.connect("ws://a", MarketProxy) as stub:
        assert_type(stub, MarketProxy)
    async with farcall.connect("ws://a", Market) as typed:
        assert_type(typed, Market)
    async with farcall.connect("ws://a") as session:
        assert_type(session, Session)
    async with open_pair(Market(), MarketProxy) as pair:
        assert_type(pair, Pair[MarketProxy])
        assert_type(pair.client, MarketProxy)

    farcall.connect("ws://a", dialect="morse")  # type: ignore[call-overload]
    farcall.connect(8765)  # type: ignore[call-overload]


async def sessions(session: Session) -> None:
    assert_type(await session.call("add", 2, 3, returns=int), int)
    assert_type(await session.call("add", a=2, b=3), Any)
    assert_type(await session.call("all", returns=list[int]), list[int])
    assert_type(await session.call("find", returns=int | None), Any)
    found: int | None = await session.call("find", returns=int | None)
    assert_type(found, int | None)
    assert_type(session.proxy(MarketProxy), MarketProxy)
    async with session.subscribe("tick", returns=int) as numbers:
        assert_type(numbers, Subscription[int])
    async with session.subscribe("tick") as values:
        assert_type(values, Subscription[Any])
    async with session.subscribe("tick", returns=int | None) as options:
        assert_type(options, Subscription[Any])
    async with session.stream("all", returns=int) as items:
        assert_type(items, AsyncIterator[int])
    async with session.stream("all", returns=int | None) as others:
        assert_type(others, AsyncIterator[Any])
