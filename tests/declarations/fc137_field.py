"""A field has a name that Python code can use; Python reads this ligature as the letters fi."""

from typing import NamedTuple

from farcall import service

Quote = NamedTuple("Quote", [("ﬁrst", float)])  # noqa: UP014


@service
class Market:
    async def quote(self, symbol: str) -> Quote:
        return Quote(1.0)
