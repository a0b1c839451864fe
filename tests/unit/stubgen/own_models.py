"""Types of a client, which are the same as those of `market_square`."""

from __future__ import annotations

from decimal import Decimal
from typing import NewType

import attrs

from farcall import ApplicationError
from tests.unit.stubgen.own_enums import Currency

Owner = NewType("Owner", str)


@attrs.frozen
class Money:
    """An amount that knows how to double."""

    amount: Decimal
    currency: Currency = Currency.USD

    def doubled(self) -> Money:
        return Money(self.amount * 2, self.currency)


@attrs.define
class Trouble(ApplicationError):
    why: str

    @property
    def advice(self) -> str:
        return f"{self.why}: ask the bank"
