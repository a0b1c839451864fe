"""Nor does it in the fields of records."""

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
