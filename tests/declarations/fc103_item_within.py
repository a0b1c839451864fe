"""An upload is a parameter of its own, and neither optional nor part of another type."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable[str] | None) -> int:
        return 0
