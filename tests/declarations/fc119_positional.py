"""Trio passes the status of a task by keyword."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
