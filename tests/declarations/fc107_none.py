"""A default must have the type of its parameter."""

from farcall import service


@service
class Market:
    async def buy(self, symbol: str, limit: float = None) -> str:  # noqa: RUF013
        return "bought"
