"""Some codes are reserved for JSON-RPC and farcall: they would not arrive as this error."""

from typing import ClassVar

import attrs

from farcall import ApplicationError, method, service


@attrs.define
class UnknownSymbol(ApplicationError):
    code: ClassVar[int] = -32001
    symbol: str


@service
class Market:
    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> float:
        raise UnknownSymbol(symbol)
