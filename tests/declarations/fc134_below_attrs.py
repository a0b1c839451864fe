"""`attrs.define` makes a new class, so put `@service` above it."""

import attrs

import farcall
from farcall import service


@attrs.define
@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0


async def main() -> None:
    await farcall.serve(Market(), 8765)
