"""A later bakery than the one of the stub `bakery`, which fails some of its calls."""

from __future__ import annotations

from collections.abc import AsyncIterable
from enum import Enum

import attrs

from farcall import ApplicationError, Signal, method, service


class Size(Enum):
    SMALL = "small"
    LARGE = "large"
    HUGE = "huge"


@attrs.frozen
class Cake:
    name: str
    size: Size
    price: float


@attrs.frozen
class Order:
    cake: str
    count: int = 1


@attrs.define
class SoldOut(ApplicationError):
    cake: str


@service(name="Bakery")
class Changed:
    """A bakery with breaking changes."""

    baked: Signal[str] = Signal()

    @method(raises=[SoldOut])
    async def buy(self, order: Order, voucher: str) -> float:
        return 1.0

    async def find(self, name: str, size: Size = Size.SMALL) -> Cake:
        return Cake(name, Size.HUGE, 2.0)

    @method(oneway=True)
    async def praise(self, text: str) -> None:
        pass

    async def deliver(self, cakes: AsyncIterable[Cake]) -> int:
        return len([cake async for cake in cakes])
