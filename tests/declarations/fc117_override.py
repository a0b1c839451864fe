"""What overrides an endpoint in a class that is not decorated is called in the same way."""

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
