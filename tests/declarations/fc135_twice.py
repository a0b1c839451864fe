"""At one path every wire name must be unique."""

import farcall
from farcall import service


@service(name="Market")
class Exchange:
    async def quote(self, symbol: str) -> float:
        return 1.0


@service(name="Market")
class Bazaar:
    async def quote(self, symbol: str) -> float:
        return 2.0


async def main() -> None:
    await farcall.serve([Exchange(), Bazaar()], 8765)
