"""The annotation of a stream needs the type of its items."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def history(self, symbol: str) -> AsyncIterator:  # type: ignore[type-arg]
        yield 1.0
