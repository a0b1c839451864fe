"""Two members of a service cannot have the same wire name."""

from farcall import method, service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0

    @method(name="Market.quote")
    async def last_quote(self, symbol: str) -> float:
        return 1.0
