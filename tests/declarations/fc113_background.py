"""A background task is started without arguments, and nobody waits for a result."""

from farcall import background, service


@service
class Market:
    @background
    async def tick(self, seconds: float) -> None:
        pass
