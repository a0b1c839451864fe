"""The names in annotations must be defined when the class is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farcall import service

if TYPE_CHECKING:
    from decimal import Decimal


@service
class Market:
    async def quote(self, symbol: str) -> Decimal:
        raise NotImplementedError
