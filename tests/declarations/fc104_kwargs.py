"""The same goes for keyword arguments."""

from farcall import service


@service
class Market:
    async def place(self, **orders: int) -> None:
        pass
