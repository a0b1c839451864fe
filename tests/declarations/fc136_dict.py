"""A service is no container, for farcall.serve() takes a list of services, or a dict by path."""

from farcall import service


@service
class Prices(dict[str, float]):
    async def price(self, symbol: str) -> float:
        return self[symbol]
