"""What is open to everybody asks for no role."""

from farcall import method, service


@service(protected=True)
class Market:
    @method(protected=False, roles={"trader"})
    async def buy(self, symbol: str) -> str:
        return symbol
