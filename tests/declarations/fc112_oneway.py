"""A one-way call gets no response, so it has neither a result nor errors."""

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def report(self, price: float) -> bool:
        return True
