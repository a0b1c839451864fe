"""What is served is an object, not its class."""

import farcall
from farcall import service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


async def main() -> None:
    await farcall.serve(Market, 8765)
