"""A service cannot be a dict, because `farcall.serve()` takes a dict of services by path."""

from farcall import service


@service
class Prices(dict[str, float]):
    async def price(self, symbol: str) -> float:
        return self[symbol]
