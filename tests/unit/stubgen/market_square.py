"""Services that share types."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Generic, NamedTuple, NewType, TypeAlias, TypedDict, TypeVar
from uuid import UUID

import attrs

from farcall import ApplicationError, Signal, method, service

T = TypeVar("T")
Account: TypeAlias = str
Owner = NewType("Owner", str)


class Currency(Enum):
    """Kinds of money."""

    EUR = "eur"
    USD = "usd"


@attrs.frozen
class Money:
    """An amount of money."""

    amount: Decimal
    currency: Currency = Currency.EUR


@attrs.define
class Wallet:
    owner: Owner
    account: Account = "main"
    coins: list[Money] = attrs.field(factory=list)
    id: UUID = UUID(int=0)  # noqa: RUF009 - it cannot change


class Page(NamedTuple, Generic[T]):
    items: tuple[T, ...]


class Slip(TypedDict):
    text: str


@attrs.define
class Trouble(ApplicationError):
    why: str


@attrs.define
class Broke(Trouble):
    missing: Money


@attrs.frozen
class Receipt:
    text: str


@attrs.frozen
class Interest:
    rate: float


@service
class Bank:
    """Keeps money."""

    moved: Signal[Money] = Signal()

    @method(raises=[Trouble, Broke])
    async def balance(self, account: Account) -> Money:
        return Money(Decimal(len(account)))

    async def wallet(self, owner: Owner) -> Wallet:
        return Wallet(owner)

    async def interest(self) -> Page[Interest]:
        return Page(())


@service
class Shop:
    """Takes money."""

    @method(raises=[Broke])
    async def pay(self, price: Money, account: Account = "main") -> Receipt:
        if price.amount > 10:
            raise Broke("too much", Money(price.amount - 10))
        return Receipt(f"{price.amount} {price.currency.name} of {account}")

    async def buy(self, wallet: Wallet) -> Page[Receipt]:
        return Page((Receipt(wallet.account),))


@service
class Fair:
    """Uses a type of the other two, and one of its own name that differs."""

    class Receipt(NamedTuple):
        number: int

    async def ride(self, price: Money) -> Receipt:
        return Fair.Receipt(int(price.amount))


@service
class Post:
    """Shares nothing with the others."""

    async def send(self, slip: Slip) -> None: ...
