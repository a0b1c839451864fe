"""The annotation of an upload says which items it takes."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable) -> int:  # type: ignore[type-arg]
        return 0
