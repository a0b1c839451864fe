"""Neither can it return something to iterate over."""

from collections.abc import AsyncIterator

from farcall import service


@service
class Market:
    async def history(self, symbol: str) -> AsyncIterator[float]:
        raise NotImplementedError
