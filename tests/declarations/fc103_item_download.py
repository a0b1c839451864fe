"""Items of a stream are of the types that results may have."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def trades(self) -> AsyncIterator[slice]:
        yield slice(1)
