"""A stream has none of the options that only make sense for calls."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream(oneway=True)  # type: ignore[call-overload, untyped-decorator]
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
