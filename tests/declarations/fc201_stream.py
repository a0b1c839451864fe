"""Streams are not there yet."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
