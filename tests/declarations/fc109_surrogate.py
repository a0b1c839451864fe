"""A wire name cannot contain a lone surrogate, which UTF-8 cannot encode."""

from farcall import method, service


@service
class Market:
    @method(name="quote\ud83d")
    async def quote(self, symbol: str) -> float:
        return 1.0
