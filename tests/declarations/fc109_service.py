"""So a service cannot be called ``rpc``."""

from farcall import service


@service(name="rpc")
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0
