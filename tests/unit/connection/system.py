"""The system tasks of a Trio run."""

from __future__ import annotations

from collections.abc import Iterator

import trio


def system_tasks(name: str) -> list[trio.lowlevel.Task]:
    """Return the tasks of this name."""
    root = trio.lowlevel.current_root_task()
    assert root is not None

    def below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from below(child)

    return [task for task in below(root) if task.name == name]
