"""Each name on the wire belongs to one member."""

from farcall import method, service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0

    @method(name="Market.quote")
    async def last_quote(self, symbol: str) -> float:
        return 1.0
