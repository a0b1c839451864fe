"""Stubs that share types: right uses by `assert_type`, wrong ones by an ignored error."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

from tests.typing.generated import bank, shop
from tests.typing.generated.bank import BankProxy, Interest, Money, Trouble, Wallet
from tests.typing.generated.shop import Page, Receipt, ShopProxy

OWNER = bank.Owner("ada")


async def pays_with_a_result_of_another_service(bank: BankProxy, shop: ShopProxy) -> None:
    assert_type(await bank.balance("main"), Money)
    assert_type(await shop.pay(await bank.balance("main")), Receipt)
    assert_type(await bank.interest(), Page[Interest])
    async with bank.moved.subscribe() as amounts:
        async for amount in amounts:
            await shop.pay(amount)

    await shop.pay(await bank.wallet(OWNER))  # type: ignore[arg-type]
    await shop.pay(Decimal(1))  # type: ignore[arg-type]


wallet: Wallet = shop.Wallet(OWNER, coins=[shop.Money(Decimal(1), bank.Currency.EUR)])
same: type[bank.Money] = shop.Money


def catches_an_error_of_both(shop: ShopProxy) -> None:
    try:
        raise bank.Broke("too much", Money(Decimal(1)))
    except Trouble as error:
        assert_type(error.why, str)
