"""A container needs the type of its items."""

from farcall import service


@service
class Market:
    async def symbols(self) -> list:
        return []
