"""Have the C heap keep the memory of large messages for the next ones.

Theory of operation. A message of a megabyte is copied about six times on its way, and each copy
needs memory. The malloc of glibc takes a large block from the system and gives it back when it is
freed, and the system clears every page of the next one: that takes thirty times as long as the
copy. But malloc adapts: when a large block is freed, it serves blocks up to that size from memory
that it keeps, and keeps up to twice that size (mallopt(3), M_MMAP_THRESHOLD). So `keep_memory`
allocates and frees one block, of which no page is ever used.

Other allocators have other rules; there it does nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from farcall._limits import KIB, MIB

LARGE: Final = 128 * KIB
"""From this size on, malloc takes a block from the system, unless it has adapted."""

BLOCKS: Final = 4
"""How many messages the block could hold; so malloc keeps the memory of eight."""

LARGEST_BLOCK: Final = 31 * MIB
"""Malloc does not adapt to blocks of more than 32 MiB."""


def keep_memory(size: int) -> None:
    """Have the heap keep the memory that messages of `size` bytes need."""
    if size >= LARGE:
        _keep_blocks(1 << (size - 1).bit_length())


@cache
def _keep_blocks(size: int) -> None:
    bytes(min(BLOCKS * size, LARGEST_BLOCK))
