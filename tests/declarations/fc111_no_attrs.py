"""An error carries its fields, so it must be an attrs class."""

from farcall import ApplicationError, method, service


class UnknownSymbol(ApplicationError):
    def __init__(self, symbol: str) -> None:
        self.symbol = symbol


@service
class Market:
    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> float:
        raise UnknownSymbol(symbol)
