"""`raises` is a list of classes."""

import attrs

from farcall import ApplicationError, method, service


@attrs.define
class UnknownSymbol(ApplicationError):
    symbol: str


@service
class Market:
    @method(raises=UnknownSymbol)
    async def quote(self, symbol: str) -> float:
        raise UnknownSymbol(symbol)
