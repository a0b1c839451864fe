"""An endpoint cannot return an iterator."""

from collections.abc import AsyncIterator

from farcall import service


@service
class Market:
    async def history(self, symbol: str) -> AsyncIterator[float]:
        raise NotImplementedError
