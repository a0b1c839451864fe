"""A one-way call has no answer, so neither a result nor an error."""

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def report(self, price: float) -> bool:
        return True
