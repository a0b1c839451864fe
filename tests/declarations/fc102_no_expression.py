"""An annotation must be a type."""

from farcall import service


@service
class Market:
    async def quote(self, symbol: "str or none please") -> float:  # noqa: F722
        return 1.0
