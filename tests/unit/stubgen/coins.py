"""Classes that are no records; `coins_registered` registers one of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

from farcall import Via, service


class Coin:
    """An amount of money."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coin) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)


class Medal:
    """Something that one does not spend."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Medal) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text


def to_mills(price: Decimal) -> int:
    """Write a price."""
    return int(price * 1000)


def from_mills(mills: int) -> Decimal:
    """Read a price."""
    return Decimal(mills) / 1000


Price: TypeAlias = Annotated[Decimal, Via(int, encode=to_mills, decode=from_mills)]


@service
class Mint:
    """A service whose prices have another unit than those of the till."""

    async def cost(self, price: Price) -> Price:
        """Return a price."""
        return price
