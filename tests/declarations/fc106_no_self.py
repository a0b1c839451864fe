"""A method needs the parameter self."""

from farcall import service


@service
class Market:
    async def quote(symbol: str) -> float:  # noqa: N805
        return 1.0
