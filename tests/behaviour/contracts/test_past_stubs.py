"""Stubs that past versions of farcall have generated still work.

Each file in ``past_stubs`` stays as it was generated; when the generator changes, add a file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from examples.market.service import Market
from farcall.testing import open_pair
from tests.past_stubs.market_first import Holding, MarketProxy, Quote, UnknownSymbol


async def holdings() -> AsyncIterator[Holding]:
    yield Holding("ACME", 2)
    yield Holding("INITECH", 4)


async def test_the_first_stub() -> None:
    """The first stub still calls, streams both ways, subscribes and receives errors."""
    async with open_pair(Market(), MarketProxy) as (market, _):
        assert await market.symbols() == ["ACME", "GLOBEX", "INITECH"]
        assert (await market.buy("ACME", 3, limit=1.0)).startswith("no deal: ACME costs")
        assert await market.worth(holdings()) > 0
        with pytest.raises(UnknownSymbol) as caught:
            await market.quote("HOOLI")
        async with market.history("ACME") as quotes:
            assert (await anext(quotes)).symbol == "ACME"
        async with market.ticked.subscribe(key="ACME") as ticks:
            assert isinstance(await anext(ticks), Quote)

    assert caught.value.symbol == "HOOLI"
