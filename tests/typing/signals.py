"""Signals of a service: right uses by `assert_type`, wrong ones by an ignored error."""

from __future__ import annotations

from typing import ClassVar, assert_type

import attrs

from farcall import BoundSignal, Signal, Subscription


@attrs.frozen
class Quote:
    symbol: str
    price: float


class Market:
    ticked: Signal[Quote] = Signal(key="symbol", retain=True)
    closed: Signal[None] = Signal()


@attrs.define
class Shop:
    opened: ClassVar[Signal[bool]] = Signal(broadcast=True)


def declared() -> None:
    assert_type(Market.ticked, Signal[Quote])
    assert_type(Shop.opened, Signal[bool])
    Signal("ticked")  # type: ignore[call-arg]
    Signal(keys="symbol")  # type: ignore[call-arg]


def emitted(market: Market, shop: Shop) -> None:
    assert_type(market.ticked, BoundSignal[Quote])
    assert_type(shop.opened, BoundSignal[bool])
    market.ticked.emit(Quote("ACME", 1.0))
    market.closed.emit(None)
    market.ticked.emit(3)  # type: ignore[arg-type]
    market.ticked.emit()  # type: ignore[call-arg]
    market.ticked = Signal()  # type: ignore[assignment]


async def subscribed(market: Market) -> None:
    async with market.ticked.subscribe(key="ACME", on_lag="latest") as ticks:
        assert_type(ticks, Subscription[Quote])
        assert_type(ticks.missed, int)
        async for tick in ticks:
            assert_type(tick, Quote)
    market.ticked.subscribe("ACME")  # type: ignore[call-arg]
    market.ticked.subscribe(key=1.5)  # type: ignore[arg-type]
    market.ticked.subscribe(on_lag="newest")  # type: ignore[arg-type]
    with market.ticked.subscribe():  # type: ignore[attr-defined]
        pass
