"""Half of a surrogate pair is in no UTF-8 text, so a name has none."""

from farcall import method, service


@service
class Market:
    @method(name="quote\ud83d")
    async def quote(self, symbol: str) -> float:
        return 1.0
