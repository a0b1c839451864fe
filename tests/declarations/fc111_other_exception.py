"""Only classes derived from ApplicationError can cross the wire."""

from farcall import method, service


@service
class Market:
    @method(raises=[KeyError])
    async def quote(self, symbol: str) -> float:
        raise KeyError(symbol)
