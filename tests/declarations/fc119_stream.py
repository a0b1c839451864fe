"""A stream begins and ends with its `async with` block, so it is not a task."""

from collections.abc import AsyncIterator

import trio

from farcall import service, stream


@service
class Market:
    @stream
    async def watch(self, *, task_status: trio.TaskStatus[None]) -> AsyncIterator[float]:
        task_status.started()
        yield 1.0
