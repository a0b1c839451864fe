"""For the same reason an endpoint cannot take `**kwargs`."""

from farcall import service


@service
class Market:
    async def place(self, **orders: int) -> None:
        pass
