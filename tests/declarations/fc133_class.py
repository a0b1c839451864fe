"""Serve an object of the class, not the class itself."""

import farcall
from farcall import service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


async def main() -> None:
    await farcall.serve(Market, 8765)
