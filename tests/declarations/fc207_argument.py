"""farcall does not enforce the limits in notes of `Annotated` yet, so it refuses them."""

from typing import Annotated

from msgspec import Meta

from farcall import service


@service
class Market:
    async def buy(self, symbol: str, quantity: Annotated[int, Meta(ge=1)]) -> None:
        pass
