"""Names with a leading underscore stay off the wire, whatever decorates them."""

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def _report(self, price: float) -> None:
        pass
