"""A wire name is a non-empty string without spaces."""

from farcall import method, service


@service
class Market:
    @method(name="last quote")
    async def quote(self, symbol: str) -> float:
        return 1.0
