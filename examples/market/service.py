"""Quotes of a pretend exchange: methods, a declared error, a stream, and a signal with a key."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import AsyncIterable, AsyncIterator

import attrs
import trio

from farcall import ApplicationError, Signal, background, method, service, stream


@attrs.frozen
class Quote:
    """What a symbol costs."""

    symbol: str
    price: float


@attrs.frozen
class Holding:
    """Some of a symbol."""

    symbol: str
    quantity: int


@attrs.define
class UnknownSymbol(ApplicationError):
    """The exchange does not list it."""

    symbol: str


@service
class Market:
    """Quotes of a pretend exchange."""

    ticked: Signal[Quote] = Signal(key="symbol", retain=True)
    """Each change of a price."""

    def __init__(self, interval: float = 0.1) -> None:
        self._interval = interval
        self._prices = {"ACME": 12.5, "GLOBEX": 99.0, "INITECH": 7.25}
        self._past = defaultdict[str, deque[float]](lambda: deque(maxlen=1000))

    async def symbols(self) -> list[str]:
        """List what is traded."""
        return sorted(self._prices)

    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> Quote:
        """Tell what a symbol costs now."""
        return Quote(symbol, self._price(symbol))

    @method(raises=[UnknownSymbol])
    async def buy(self, symbol: str, quantity: int, *, limit: float | None = None) -> str:
        """Buy, unless the price is over the limit.

        Args:
            symbol: What to buy.
            quantity: How many.
            limit: The highest price to pay; None for any.

        Returns:
            A sentence about the deal.
        """
        price = self._price(symbol)
        if limit is not None and price > limit:
            return f"no deal: {symbol} costs {price:.2f}"
        return f"bought {quantity} {symbol} at {price:.2f}"

    @method(raises=[UnknownSymbol])
    async def worth(self, holdings: AsyncIterable[Holding]) -> float:
        """Add up what some holdings would cost now."""
        return sum([each.quantity * self._price(each.symbol) async for each in holdings])

    @stream(raises=[UnknownSymbol])
    async def history(self, symbol: str) -> AsyncIterator[Quote]:
        """Tell what a symbol has cost, the oldest price first, up to now."""
        now = self._price(symbol)
        for price in [*self._past[symbol], now]:
            yield Quote(symbol, price)

    @background
    async def tick(self) -> None:
        """Let prices wander."""
        while True:
            for symbol, price in self._prices.items():
                self._past[symbol].append(price)
                self._prices[symbol] = round(max(0.01, price + random.uniform(-0.5, 0.5)), 2)
                self.ticked.emit(Quote(symbol, self._prices[symbol]))
            await trio.sleep(self._interval)

    def _price(self, symbol: str) -> float:
        if symbol not in self._prices:
            raise UnknownSymbol(symbol)
        return self._prices[symbol]
