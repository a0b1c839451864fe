"""A member whose name begins with an underscore stays off the wire."""

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def _report(self, price: float) -> None:
        pass
