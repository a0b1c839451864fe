"""The same holds for a def in a worker thread."""

from collections.abc import AsyncIterable

from farcall import method, service


@service
class Market:
    @method(thread=True)
    def load(self, quotes: AsyncIterable[str]) -> int:
        return 0
