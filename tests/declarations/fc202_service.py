"""Neither are they for whole services."""

from farcall import service


@service(protected=True)
class Market:
    async def buy(self, symbol: str) -> str:
        return "bought"
