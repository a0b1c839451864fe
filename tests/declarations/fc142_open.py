"""A member that is open to everyone cannot require a role."""

from farcall import method, service


@service(protected=True)
class Market:
    @method(protected=False, roles={"trader"})
    async def buy(self, symbol: str) -> str:
        return symbol
