"""The name of a member must be usable in Python; its wire name need not be."""

from farcall import service


class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


setattr(Market, "import", Market.quote)
service(Market)
