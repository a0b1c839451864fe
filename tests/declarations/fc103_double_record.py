"""Two types of one service cannot have the same name."""

import attrs

from farcall import service


@attrs.frozen
class Quote:
    price: float


def other_quote() -> type:
    @attrs.frozen
    class Quote:
        price: int

    return Quote


OtherQuote = other_quote()


@service
class Market:
    async def first(self) -> Quote:
        return Quote(1.0)

    async def second(self) -> OtherQuote:
        return OtherQuote(1)
