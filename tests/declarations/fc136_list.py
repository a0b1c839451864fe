"""A service cannot be a list or tuple, because `farcall.serve()` takes a list of services."""

from farcall import service


@service
class Prices(list[float]):
    async def price(self, day: int) -> float:
        return self[day]
