"""The server starts a background task without arguments, and ignores its result."""

from farcall import background, service


@service
class Market:
    @background
    async def tick(self, seconds: float) -> None:
        pass
