"""Annotate every parameter of an endpoint: the annotation says what callers may send."""

from farcall import service


@service
class Market:
    async def quote(self, symbol) -> float:
        return 1.0
