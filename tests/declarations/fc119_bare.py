"""The annotation of a task status needs the type of the value that `started()` takes."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, task_status: trio.TaskStatus) -> None:
        task_status.started()
