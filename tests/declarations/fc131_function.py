"""`@service` decorates classes."""

from farcall import service


@service
async def quote(symbol: str) -> float:
    return 1.0
