"""A method that overrides an endpoint in an undecorated class must be called in the same way."""

import farcall
from farcall import service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


class FakeMarket(Market):
    async def quote(self, name: str) -> float:
        return 2.0


async def main() -> None:
    await farcall.serve(FakeMarket(), 8765)
