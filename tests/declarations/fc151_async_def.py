"""`@stream` decorates async generators."""

from farcall import service, stream


@service
class Market:
    @stream  # type: ignore[arg-type]
    async def history(self, symbol: str) -> list[float]:
        return [1.0]
