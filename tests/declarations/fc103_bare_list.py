"""A container says what it holds."""

from farcall import service


@service
class Market:
    async def symbols(self) -> list:
        return []
