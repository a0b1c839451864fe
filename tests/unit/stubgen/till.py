"""A service of classes that cross as another type."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, TypeAlias

import attrs

from farcall import Signal, Via, register_type, service, stream
from tests.unit.stubgen import coins_registered
from tests.unit.stubgen.coins import Coin, Medal

assert Coin in coins_registered.REGISTERED
register_type(Medal, str, encode=str, decode=Medal)


def to_cents(price: Decimal) -> int:
    """Write a price."""
    return int(price * 100)


def from_cents(cents: int) -> Decimal:
    """Read a price."""
    return Decimal(cents) / 100


Price: TypeAlias = Annotated[Decimal, Via(int, encode=to_cents, decode=from_cents)]


@attrs.frozen
class Purse:
    """A record with such fields."""

    coins: list[Coin]
    price: Price
    medal: Medal | None = None
    prices: dict[Medal, Price] = attrs.field(factory=dict)


@service
class Till:
    """A service of such values."""

    rang: Signal[Coin] = Signal()

    async def pay(self, purse: Purse, tip: Coin = Coin(0)) -> Purse:  # noqa: B008
        """Take money."""
        return purse

    async def weigh(
        self,
        price: Annotated[Decimal, Via(str, encode=str, decode=lambda text: Decimal(text))],  # noqa: PLW0108
    ) -> Price:
        """Take a price by a function that has no name."""
        return price

    @stream
    async def coins(self) -> AsyncIterator[Coin]:
        """Return two coins."""
        yield Coin(1)
        yield Coin(2)
