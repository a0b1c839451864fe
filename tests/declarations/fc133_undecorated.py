"""The class of a served object must be decorated."""

import farcall


class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


async def main() -> None:
    await farcall.serve(Market(), 8765)
