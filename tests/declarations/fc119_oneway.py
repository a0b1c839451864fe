"""A notification has no answer, and no start."""

import trio

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def watch(self, symbol: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
