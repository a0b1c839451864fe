"""Logins are not there yet."""

from farcall import method, service


@service
class Market:
    @method(protected=True)
    async def buy(self, symbol: str) -> str:
        return "bought"
