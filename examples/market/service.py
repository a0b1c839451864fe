"""Quotes of a pretend exchange: methods, a declared error, and a signal with a key."""

from __future__ import annotations

import random

import attrs
import trio

from farcall import ApplicationError, Signal, background, method, service


@attrs.frozen
class Quote:
    """What a symbol costs."""

    symbol: str
    price: float


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

    @background
    async def tick(self) -> None:
        """Let prices wander."""
        while True:
            for symbol, price in self._prices.items():
                self._prices[symbol] = round(max(0.01, price + random.uniform(-0.5, 0.5)), 2)
                self.ticked.emit(Quote(symbol, self._prices[symbol]))
            await trio.sleep(self._interval)

    def _price(self, symbol: str) -> float:
        if symbol not in self._prices:
            raise UnknownSymbol(symbol)
        return self._prices[symbol]
