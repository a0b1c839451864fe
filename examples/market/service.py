"""Quotes of a made-up stock exchange.

It shows methods, a declared error, a stream, an upload, and a signal with a key.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import AsyncIterable, AsyncIterator

import attrs
import trio

from farcall import ApplicationError, Signal, background, method, service, stream


@attrs.frozen
class Quote:
    """The price of a symbol."""

    symbol: str
    price: float


@attrs.frozen
class Holding:
    """A number of shares of a symbol."""

    symbol: str
    quantity: int


@attrs.define
class UnknownSymbol(ApplicationError):
    """The exchange does not list this symbol."""

    symbol: str


@service
class Market:
    """Quotes of a made-up stock exchange."""

    ticked: Signal[Quote] = Signal(key="symbol", retain=True)
    """Every price change."""

    def __init__(self, interval: float = 0.1) -> None:
        self._interval = interval
        self._prices = {"ACME": 12.5, "GLOBEX": 99.0, "INITECH": 7.25}
        self._past = defaultdict[str, deque[float]](lambda: deque(maxlen=1000))

    async def symbols(self) -> list[str]:
        """List the symbols that are traded."""
        return sorted(self._prices)

    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> Quote:
        """Return the current price of a symbol."""
        return Quote(symbol, self._price(symbol))

    @method(raises=[UnknownSymbol])
    async def buy(self, symbol: str, quantity: int, *, limit: float | None = None) -> str:
        """Buy shares, unless the price is above the limit.

        Args:
            symbol: What to buy.
            quantity: How many shares.
            limit: The highest price to pay; None for no limit.

        Returns:
            A sentence about the deal.
        """
        price = self._price(symbol)
        if limit is not None and price > limit:
            return f"no deal: {symbol} costs {price:.2f}"
        return f"bought {quantity} {symbol} at {price:.2f}"

    @method(raises=[UnknownSymbol])
    async def worth(self, holdings: AsyncIterable[Holding]) -> float:
        """Return the total price of some holdings."""
        return sum([each.quantity * self._price(each.symbol) async for each in holdings])

    @stream(raises=[UnknownSymbol])
    async def history(self, symbol: str) -> AsyncIterator[Quote]:
        """Yield the past prices of a symbol and then the current one, oldest first."""
        now = self._price(symbol)
        for price in [*self._past[symbol], now]:
            yield Quote(symbol, price)

    @background
    async def tick(self) -> None:
        """Change the prices at random."""
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
