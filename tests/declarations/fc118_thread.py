"""Async code cannot run in a worker thread."""

from farcall import method, service


@service
class Archive:
    @method(thread=True)
    async def pack(self, name: str) -> int:
        return len(name)
