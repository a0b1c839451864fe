"""A property is read, not called; so it cannot be an endpoint, whatever it is marked as."""

from farcall import method, service


@service
class Market:
    async def quote(self, symbol: str) -> float:
        return 1.0

    @property
    @method(name="status")
    def status(self) -> str:
        return "open"
