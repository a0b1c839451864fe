"""A task says what it tells when it has started."""

import trio

from farcall import service


@service
class Market:
    async def watch(self, symbol: str, *, task_status: trio.TaskStatus) -> None:
        task_status.started()
