"""The name belongs to Trio."""

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, task_status: str) -> None:
        del symbol, task_status
