"""A remote task runs beside other tasks, so it must be async."""

import trio

from farcall import service


@service
class Market:
    def watch(self, symbol: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
