"""Callers without a nursery pass no status, so the default must have a method `started()`."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, *, task_status: trio.TaskStatus[None] = None) -> None:
        task_status.started()
