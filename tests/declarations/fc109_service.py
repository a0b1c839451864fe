"""For the same reason a service cannot be named ``rpc``."""

from farcall import service


@service(name="rpc")
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0
