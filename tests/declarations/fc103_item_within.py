"""An upload is a whole parameter; it cannot be optional or part of another type."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable[str] | None) -> int:
        return 0
