"""Read a file in chunks, and compute its checksum. Client and server use this module."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import attrs
import trio

CHUNK: Final = 64 * 1024
"""Bytes in one stream item.

Four chunks fill the window of a stream, so the sender can read and the receiver can write while
others are in flight. A chunk is large enough that the switch to a worker thread costs little.
"""


@attrs.frozen
class Checksum:
    """The SHA-256 of the first `size` bytes of a file, in lower-case hexadecimal."""

    size: int
    sha256: str


class Digest(Protocol):
    """A hash object, as `hashlib` makes it."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        ...


def checksum_of(path: Path, size: int | None = None) -> Checksum:
    """Hash the first `size` bytes of a file, or all of it. Run this in a Trio worker thread.

    Returns:
        The checksum; its size is smaller than `size` if the file is.

    Raises:
        OSError: the file cannot be read.

    Cancellation:
        Stops at the next chunk.
    """
    with path.open("rb", buffering=0) as file:
        digest, count = hashed(file, size)
    return Checksum(count, digest.hexdigest())


def hashed(file: BinaryIO, size: int | None = None) -> tuple[Digest, int]:
    """Hash up to `size` bytes from the current position of a file; see `checksum_of`."""
    digest, count = hashlib.sha256(), 0
    while chunk := file.read(_next(count, size)):
        trio.from_thread.check_cancelled()
        digest.update(chunk)
        count += len(chunk)
    return digest, count


async def chunks_of(
    path: Path, start: int = 0, stop: int | None = None
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file from `start` up to `stop`, in chunks.

    Raises:
        OSError: the file cannot be read.

    Cancellation:
        Closes the file.
    """
    async with await trio.open_file(path, "rb", buffering=0) as file:
        await file.seek(start)
        while chunk := await file.read(_next(start, stop)):
            yield chunk
            start += len(chunk)


def _next(start: int, stop: int | None) -> int:
    return CHUNK if stop is None else min(CHUNK, stop - start)
