"""A later bakery than the one of the stub `bakery`, which has more members."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from enum import Enum

import attrs
import trio

from farcall import ApplicationError, Signal, method, service, stream


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@attrs.frozen
class Cake:
    name: str
    size: Size
    price: float
    vegan: bool = False


@attrs.frozen
class Order:
    cake: str
    count: int = 1
    gift: bool = False


@attrs.define
class SoldOut(ApplicationError):
    cake: str
    until: str = "tomorrow"


@attrs.define
class Closed(ApplicationError):
    """An error that the stub does not know."""


@service(name="Bakery")
class Grown:
    """A bakery with more members and optional arguments, which fails no call of the stub."""

    baked: Signal[Cake] = Signal(key="name", retain=True)
    burnt: Signal[str] = Signal()

    @method(raises=[SoldOut, Closed])
    async def buy(self, order: Order, voucher: str | None = None) -> float:
        if order.cake == "none":
            raise SoldOut(order.cake)
        return order.count * 2.0

    async def find(self, name: str, size: Size = Size.SMALL, *, vegan: bool = False) -> Cake:
        return Cake(name, size, 2.0, vegan)

    @method(oneway=True)
    async def praise(self, text: str, stars: int = 5) -> None:
        pass

    @stream
    async def menu(self, *, vegan: bool = False) -> AsyncIterator[Cake]:
        yield Cake("plain", Size.SMALL, 1.0, vegan)

    async def deliver(self, cakes: AsyncIterable[Cake]) -> int:
        return len([cake async for cake in cakes])

    async def bake(
        self, name: str, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started(len(name))

    async def clean(self) -> None:
        pass
