"""A stream is an endpoint already; pass the options to `@stream`."""

from collections.abc import AsyncIterator

from farcall import method, service, stream


@service
class Market:
    @method(name="candles")
    @stream
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
