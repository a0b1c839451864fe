"""Ordered methods are not there yet."""

from farcall import method, service


@service
class Market:
    @method(ordered=True)
    async def buy(self, symbol: str) -> str:
        return "bought"
