"""What gives a method only when it is asked for one has no parameters to list."""

import functools

from farcall import service


@service
class Market:
    @functools.singledispatchmethod
    async def show(self, what: int) -> str:
        return "a number"
