"""An endpoint returns once; an async generator is a stream, which needs `@stream`."""

from collections.abc import AsyncIterator

from farcall import service


@service
class Market:
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
