"""farcall does not repeat calls yet."""

from farcall import method, service


@service
class Market:
    @method(idempotent=True)
    async def quote(self, symbol: str) -> float:
        return 1.0
