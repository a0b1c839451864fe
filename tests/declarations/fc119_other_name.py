"""A status by another name is never passed."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, status: trio.TaskStatus[None]) -> None:
        status.started()
