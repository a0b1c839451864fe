"""Stubs that import the types of their user: right uses by `assert_type`, wrong ones ignored."""

from __future__ import annotations

from typing import assert_type

from tests.typing.generated.own.bank import BankProxy
from tests.typing.generated.own.shop import Broke, Receipt, ShopProxy, Wallet
from tests.unit.stubgen.own_models import Money, Owner, Trouble


async def gets_and_sends_types_of_the_user(bank: BankProxy, shop: ShopProxy) -> None:
    money = await bank.balance("main")
    assert_type(money, Money)
    assert_type(await shop.pay(money.doubled()), Receipt)
    wallet = await bank.wallet(Owner("ada"))
    assert_type(wallet, Wallet)
    assert_type(wallet.coins, list[Money])

    await bank.wallet("ada")  # type: ignore[arg-type]
    await shop.pay(wallet)  # type: ignore[arg-type]


def catches_an_error_of_the_user(broke: Broke) -> None:
    trouble: Trouble = broke
    assert_type(trouble.advice, str)
    assert_type(broke.missing, Money)
