"""Roles are a set of strings; a string alone would be a set of letters."""

from farcall import method, service


@service
class Market:
    @method(roles="trader")
    async def buy(self, symbol: str) -> str:
        return symbol
