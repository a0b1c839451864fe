"""Async code has no use for a thread, and cannot run in one."""

from farcall import method, service


@service
class Archive:
    @method(thread=True)
    async def pack(self, name: str) -> int:
        return len(name)
