"""A method that overrides a stream must be a stream."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0


@service
class Bazaar(Market):
    async def history(self, symbol: str) -> AsyncIterator[float]:  # type: ignore[override]
        yield 2.0
