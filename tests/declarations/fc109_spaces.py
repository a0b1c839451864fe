"""A name on the wire is some text without spaces."""

from farcall import method, service


@service
class Market:
    @method(name="last quote")
    async def quote(self, symbol: str) -> float:
        return 1.0
