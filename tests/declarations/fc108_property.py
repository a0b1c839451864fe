"""A property is read, not called, so it cannot be an endpoint, even with `@method`."""

from farcall import method, service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0

    @property
    @method(name="status")
    def status(self) -> str:
        return "open"
