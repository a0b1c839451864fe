"""Other descriptors have no parameters to list, so they cannot be endpoints."""

import functools

from farcall import service


@service
class Market:
    @functools.singledispatchmethod
    async def show(self, what: int) -> str:
        return "a number"
