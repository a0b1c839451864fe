"""It refuses them in the fields of records, too."""

from typing import Annotated

import attrs
from msgspec import Meta

from farcall import service


@attrs.frozen
class Order:
    symbol: Annotated[str, Meta(description="As on the exchange.", pattern="[A-Z]+")]


@service
class Market:
    async def buy(self, orders: list[Order]) -> None:
        pass
