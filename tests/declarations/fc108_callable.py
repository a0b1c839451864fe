"""Only functions written in the class are endpoints; other callable objects are not."""

from functools import partial

from farcall import service


@service
class Market:
    rounded = partial(round, ndigits=2)

    async def quote(self, symbol: str) -> float:
        return self.rounded(1.0)
