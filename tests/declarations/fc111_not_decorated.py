"""An annotation becomes a field only if `@attrs.define` decorates the class."""

from farcall import ApplicationError, method, service


class UnknownSymbol(ApplicationError):
    symbol: str


@service
class Market:
    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> float:
        raise UnknownSymbol(symbol)
