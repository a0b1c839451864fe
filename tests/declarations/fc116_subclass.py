"""Declarations in a subclass count only if the subclass is decorated."""

import farcall
from farcall import method, service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


class BigMarket(Market):
    @method(oneway=True)
    async def report(self, price: float) -> None:
        pass


async def main() -> None:
    await farcall.serve(BigMarket(), 8765)
