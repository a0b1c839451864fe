"""The resources of a process, to be compared with those before."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Final

import attrs
import trio

MORE_BLOCKS: Final = 20_000
MORE_BYTES: Final = 32 * 2**20
"""Python's caches, free lists and holes may grow by so much, over any number of cases. A minute has
thousands of cases, each with connections of some hundred objects and 64 KiB buffers."""


@attrs.frozen
class Stock:
    """The resources that must be released after each case, to the last one."""

    tasks: int
    descriptors: int

    def is_released(self, before: Stock) -> bool:
        """Return whether no more is held than before.

        There may be a task less: a link gives up the nursery of its handlers when none runs.
        """
        return self.tasks <= before.tasks and self.descriptors == before.descriptors

    @classmethod
    def now(cls) -> Stock:
        """Count the resources; cheap enough to be polled."""
        tasks = trio.lowlevel.current_statistics().tasks_living
        return cls(tasks, len(os.listdir("/dev/fd")))


@attrs.frozen
class Memory:
    """The memory that must be released after many cases, up to a bound."""

    blocks: int
    """Blocks of Python's allocator: about as many as there are objects."""
    resident: int
    """Bytes of the process."""

    @classmethod
    def now(cls) -> Memory:
        """Collect garbage, and measure."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return cls(sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE"))

    def check(self, before: Memory) -> None:
        """Check that the memory has not grown beyond the bound.

        Raises:
            AssertionError: the memory has grown beyond it.
        """
        blocks, resident = self.blocks - before.blocks, self.resident - before.resident
        assert blocks < MORE_BLOCKS, f"{blocks} blocks of memory more"
        assert resident < MORE_BYTES, f"{resident} bytes more"
