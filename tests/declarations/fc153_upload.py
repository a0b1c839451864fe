"""The annotation of an upload needs the type of its items."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable) -> int:  # type: ignore[type-arg]
        return 0
