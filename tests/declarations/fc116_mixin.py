"""Declarations in a base class count only if the base is decorated."""

from farcall import Signal, service


class Ticking:
    ticked: Signal[float] = Signal()


@service
class Market(Ticking):
    async def quote(self, symbol: str) -> float:
        return 1.0
