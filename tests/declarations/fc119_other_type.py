"""Trio passes `task_status`, so an ordinary argument needs another name."""

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, task_status: str) -> None:
        del symbol, task_status
