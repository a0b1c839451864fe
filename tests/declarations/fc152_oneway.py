"""A stream does not take the options that are only for calls."""

from collections.abc import AsyncIterator

from farcall import service, stream


@service
class Market:
    @stream(oneway=True)  # type: ignore[call-overload, untyped-decorator]
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
