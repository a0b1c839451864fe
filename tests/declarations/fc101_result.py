"""The result has an annotation, too, even where it is None."""

from farcall import service


@service
class Market:
    async def close(self):
        pass
