"""The same holds for lists and tuples."""

from farcall import service


@service
class Prices(list[float]):
    async def price(self, day: int) -> float:
        return self[day]
