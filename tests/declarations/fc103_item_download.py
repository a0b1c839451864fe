"""The items of a stream have the same types as results."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream
    async def trades(self) -> AsyncIterator[slice]:
        yield slice(1)
