"""A client of the market that uses its generated stub.

Run ``farcall serve examples.market.service:Market`` in one terminal and
``python -m examples.market.client`` in another.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import trio

import farcall
from stubs.market import Holding, MarketProxy, UnknownSymbol


async def holdings() -> AsyncIterator[Holding]:
    for symbol, quantity in (("ACME", 3), ("GLOBEX", 1)):
        yield Holding(symbol, quantity)


async def main(url: str) -> None:
    async with farcall.connect(url, MarketProxy) as market:
        for symbol in await market.symbols():
            quote = await market.quote(symbol)
            print(f"{quote.symbol:8} {quote.price:8.2f}")
        print(await market.buy("ACME", 3))
        print(await market.buy("ACME", 3, limit=0.0))
        try:
            await market.quote("HOOLI")
        except UnknownSymbol as error:
            print("not listed:", error.symbol)
        async with market.history("ACME") as quotes:
            print("its first price:", (await anext(quotes)).price)
        print("all that I have:", await market.worth(holdings()))
        async with market.ticked.subscribe(key="ACME") as ticks:
            for _ in range(3):
                tick = await anext(ticks)
                print(f"{tick.symbol} is at {tick.price:.2f}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1] if sys.argv[1:] else "ws://127.0.0.1:8765")
