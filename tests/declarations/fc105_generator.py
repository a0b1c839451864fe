"""An endpoint returns one result. To send many, write a stream with `@stream`."""

from collections.abc import AsyncIterator

from farcall import service


@service
class Market:
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
