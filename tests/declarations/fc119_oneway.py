"""A notification gets no response, so it cannot report a start."""

import trio

from farcall import method, service


@service
class Market:
    @method(oneway=True)
    async def watch(self, symbol: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
