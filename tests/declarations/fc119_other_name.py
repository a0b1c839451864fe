"""Trio passes the status of a task as `task_status`."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, status: trio.TaskStatus[None]) -> None:
        status.started()
