"""Whoever calls a task without a nursery passes no status."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, *, task_status: trio.TaskStatus[None] = None) -> None:
        task_status.started()
