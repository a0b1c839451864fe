"""A member has one decorator of farcall."""

from farcall import local, method, service


@service
class Market:
    @local
    @method(oneway=True)
    async def report(self, price: float) -> None:
        pass
