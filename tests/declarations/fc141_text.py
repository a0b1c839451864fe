"""Roles are a set of names; a text alone would be a set of letters."""

from farcall import method, service


@service
class Market:
    @method(roles="trader")
    async def buy(self, symbol: str) -> str:
        return symbol
