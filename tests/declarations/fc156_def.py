"""A plain def cannot have uploads."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    def load(self, quotes: AsyncIterable[str]) -> int:
        return 0
