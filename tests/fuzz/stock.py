"""What a process holds, to be compared with what it held before."""

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
"""By which Python's caches, free lists and holes may grow, over any number of cases. In a minute
there are thousands of cases, each with connections of some hundred objects and 64 KiB buffers."""


@attrs.frozen
class Stock:
    """What must be back after each case, exactly."""

    tasks: int
    descriptors: int

    @classmethod
    def now(cls) -> Stock:
        """Count; cheap enough to be polled."""
        tasks = trio.lowlevel.current_statistics().tasks_living
        return cls(tasks, len(os.listdir("/dev/fd")))


@attrs.frozen
class Memory:
    """What must be back within bounds, after many cases."""

    blocks: int
    """Of Python's allocator: about as many as there are objects."""
    resident: int
    """Bytes of the process."""

    @classmethod
    def now(cls) -> Memory:
        """Collect what can be collected, and count."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return cls(sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE"))

    def check(self, before: Memory) -> None:
        """Check that not much has stayed.

        Raises:
            AssertionError: more has than caches may hold.
        """
        blocks, resident = self.blocks - before.blocks, self.resident - before.resident
        assert blocks < MORE_BLOCKS, f"{blocks} blocks of memory more"
        assert resident < MORE_BYTES, f"{resident} bytes more"
