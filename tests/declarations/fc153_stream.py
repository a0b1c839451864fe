"""The annotation of a stream says which items it gives."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def history(self, symbol: str) -> AsyncIterator:  # type: ignore[type-arg]
        yield 1.0
