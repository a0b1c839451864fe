"""A service needs at least one member."""

from farcall import service


@service
class Market:
    async def _quote(self, symbol: str) -> float:
        return 1.0
