"""The members of a union must look different in JSON."""

from datetime import datetime

from farcall import service


@service
class Market:
    async def quote(self, symbol: str, at: str | datetime) -> float:
        return 1.0
