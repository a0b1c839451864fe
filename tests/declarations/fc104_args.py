"""A contract lists each argument by name and type, so an endpoint cannot take `*args`."""

from farcall import service


@service
class Market:
    async def quotes(self, *symbols: str) -> list[float]:
        return [1.0 for _ in symbols]
