"""A member has a name that Python code can use; on the wire it may have any other."""

from farcall import service


class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


setattr(Market, "import", Market.quote)
service(Market)
