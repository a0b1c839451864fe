"""Uploads are not there yet."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable[str]) -> int:
        return 0
