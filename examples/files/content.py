"""The bytes of a file, chunk by chunk, and their checksum. Both ends of a copy use it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import attrs
import trio

CHUNK: Final = 64 * 1024
"""Bytes in one item of a stream.

Four of them fill the window of a stream, so that one is read and another one written while others
are on their way; and each is large enough that its way to a worker thread costs little beside it.
"""


@attrs.frozen
class Checksum:
    """The SHA-256, in small hexadecimal digits, of the first `size` bytes of a file."""

    size: int
    sha256: str


class Digest(Protocol):
    """A hash under way, as `hashlib` makes it."""

    def update(self, data: bytes, /) -> None:
        """Hash more bytes."""
        ...

    def hexdigest(self) -> str:
        """Give the hash of all bytes so far."""
        ...


def checksum_of(path: Path, size: int | None = None) -> Checksum:
    """Read the first `size` bytes of a file, or all; to be run in a worker thread of Trio.

    Returns:
        The checksum, of fewer bytes where the file has no more.

    Raises:
        OSError: it cannot be read.

    Cancellation:
        It stops at the next chunk.
    """
    with path.open("rb", buffering=0) as file:
        digest, count = hashed(file, size)
    return Checksum(count, digest.hexdigest())


def hashed(file: BinaryIO, size: int | None = None) -> tuple[Digest, int]:
    """Hash up to `size` bytes from where a file stands; see `checksum_of`."""
    digest, count = hashlib.sha256(), 0
    while chunk := file.read(_next(count, size)):
        trio.from_thread.check_cancelled()
        digest.update(chunk)
        count += len(chunk)
    return digest, count


async def chunks_of(
    path: Path, start: int = 0, stop: int | None = None
) -> AsyncGenerator[bytes, None]:
    """Read a file, but for what is before `start` or from `stop` on.

    Raises:
        OSError: it cannot be read.

    Cancellation:
        The file is closed.
    """
    async with await trio.open_file(path, "rb", buffering=0) as file:
        await file.seek(start)
        while chunk := await file.read(_next(start, stop)):
            yield chunk
            start += len(chunk)


def _next(start: int, stop: int | None) -> int:
    return CHUNK if stop is None else min(CHUNK, stop - start)
