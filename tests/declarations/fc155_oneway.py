"""A one-way call cannot have uploads."""

from collections.abc import AsyncIterable

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def place(self, orders: AsyncIterable[str]) -> None: ...
