"""What an error carries are its fields, so attrs makes it."""

from farcall import ApplicationError, method, service


class UnknownSymbol(ApplicationError):
    def __init__(self, symbol: str) -> None:
        self.symbol = symbol


@service
class Market:
    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> float:
        raise UnknownSymbol(symbol)
