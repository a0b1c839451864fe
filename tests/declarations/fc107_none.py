"""A default is a value of the parameter's type."""

from farcall import service


@service
class Market:
    async def buy(self, symbol: str, limit: float = None) -> str:  # noqa: RUF013
        return "bought"
