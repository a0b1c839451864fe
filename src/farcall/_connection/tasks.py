"""The tasks of one link beside its reader: handlers, the rest of what is sent, and its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from farcall._nursery import open_owned_nursery


class Tasks:
    """The tasks of one link, in a nursery with a shield around it.

    A task that ends because of a cancellation is to know the reason. So a cancellation from outside
    reaches the reader alone, which notes the reason and then cancels these.
    """

    def __init__(self) -> None:
        self._scope = trio.CancelScope(shield=True)
        self.nursery: trio.Nursery | None = None
        self.waiting: list[Callable[[], Awaitable[object]]] = []
        """Those that are to start with the nursery."""
        self.holder: trio.lowlevel.Task | None = None
        """The task of the nursery."""

    async def run(self) -> None:
        """Run them, until `cancel`."""
        self.holder = trio.lowlevel.current_task()
        with self._scope:
            async with open_owned_nursery() as nursery:
                for each in self.waiting:
                    nursery.start_soon(each)
                self.waiting.clear()
                self.nursery = nursery
                await trio.sleep_forever()

    @property
    def is_idle(self) -> bool:
        """Whether there are none."""
        return self.nursery is not None and not self.nursery.child_tasks

    def cancel(self) -> None:
        """Cancel all of them."""
        self._scope.cancel()
