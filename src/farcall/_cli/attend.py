"""What signals do to a server: the first one drains it, the second cuts that short."""

from __future__ import annotations

import signal

import trio

import farcall


async def attend(
    server: farcall.Server,
    scope: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Drain the server on SIGINT or SIGTERM; on the next one cancel `scope`. Never returns."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if server.is_draining:
                scope.cancel()
            server.shutdown()
