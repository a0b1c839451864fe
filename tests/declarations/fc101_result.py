"""Annotate the result too, even if it is None."""

from farcall import service


@service
class Market:
    async def close(self):
        pass
