"""A member takes only one of farcall's decorators."""

from farcall import local, method, service


@service
class Market:
    @local
    @method(oneway=True)
    async def report(self, price: float) -> None:
        pass
