"""Every parameter of an endpoint has an annotation, for it says what may be sent."""

from farcall import service


@service
class Market:
    async def quote(self, symbol) -> float:
        return 1.0
