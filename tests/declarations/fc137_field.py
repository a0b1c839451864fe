"""The name of a field must be usable in Python, which reads this ligature as the letters fi."""

from typing import NamedTuple

from farcall import service

Quote = NamedTuple("Quote", [("ﬁrst", float)])  # noqa: UP014


@service
class Market:
    async def quote(self, symbol: str) -> Quote:
        return Quote(1.0)
