"""A file in the making: it gets its name when all of it is there, and not before.

Until then it is called ``.name.part`` and stands beside where it will be, on the same file system,
so that one step gives it its name. Whoever looks sees the old file, or the new one, and nothing in
between. A copy that is interrupted takes its part away, unless it is asked to keep it for a later
one to go on with. That one, or any other copy to the same place, ends it: under its name, or not.

A part is locked while it is written, against other tasks and other processes, by ``flock``, which
goes with the process even where that is killed. Both ends of a copy use it, on POSIX.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from examples.files.content import Checksum, Digest, checksum_of, hashed

PREFIX: Final = "."
SUFFIX: Final = ".part"


class PartInUse(Exception):
    """Another copy writes this part now."""


class WrongContent(Exception):
    """What was written is not of the size or the checksum that it should be of."""


def part_of(target: Path) -> Path:
    """Tell where a file is while it is written."""
    return target.with_name(f"{PREFIX}{target.name}{SUFFIX}")


def is_part(name: str) -> bool:
    """Tell whether a file of this name is one in the making."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


@asynccontextmanager
async def open_part(target: Path, *, keep: bool) -> AsyncGenerator[Part, None]:
    """Open the part of a file, for the length of an ``async with`` block.

    Args:
        target: What it will be.
        keep: Whether it stays, for a later copy, when the block ends before `Part.commit`.

    Raises:
        PartInUse: another copy has it.
        OSError: it cannot be made, or the target is a folder.

    Cancellation:
        The part is removed or kept, as after an error.
    """
    part = await trio.to_thread.run_sync(partial(Part, target, keep=keep))
    try:
        yield part
    finally:
        with trio.CancelScope(shield=True):  # or a cancelled copy would leave it
            await trio.to_thread.run_sync(part.close)


class Part:
    """The part of a file, open and locked; see `open_part`."""

    def __init__(self, target: Path, *, keep: bool) -> None:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        self._target = target
        self._path = part_of(target)
        try:
            self._descriptor = _open_locked(self._path)
        except BlockingIOError:
            raise PartInUse(target.name) from None
        self._keep = True  # what an earlier copy has kept, until this one begins
        self._keeps_own = keep
        self._is_done = False
        self._digest: Digest = hashlib.sha256()
        self._expected = 0
        self.size = os.fstat(self._descriptor).st_size
        """Bytes that it has."""

    async def checksum(self) -> Checksum:
        """Read what an earlier copy has kept.

        Raises:
            OSError: it cannot be read.

        Cancellation: the reading stops.
        """
        return await trio.to_thread.run_sync(checksum_of, self._path)

    async def begin(self, offset: int, size: int) -> None:
        """Keep the first `offset` bytes, which must be there, and go on behind them.

        Args:
            offset: 0 to begin anew.
            size: Bytes that it will have in the end.

        Raises:
            OSError: it cannot be read or cut.

        Cancellation: the reading stops.
        """
        await trio.to_thread.run_sync(self._begin, offset, size)

    async def write(self, chunk: bytes) -> None:
        """Add to its end.

        Raises:
            WrongContent: it would be larger than it should be.
            OSError: it cannot be written.

        Cancellation: the chunk is written before.
        """
        await trio.to_thread.run_sync(self._write, chunk)

    async def commit(self, sha256: str) -> None:
        """Give it its name, in place of a file that has it now, if it is what it should be.

        Raises:
            WrongContent: it is not; nobody will go on with it.
            OSError: the system refuses.

        Cancellation: it has its name before.
        """
        await trio.to_thread.run_sync(self._commit, sha256)

    def close(self) -> None:
        """Remove it, unless it has its name or is kept, and let others have it."""
        try:
            if not self._is_done and not (self._keep and self.size):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def _begin(self, offset: int, size: int) -> None:
        self._keep = self._keeps_own
        self._expected = size
        os.ftruncate(self._descriptor, offset)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with os.fdopen(self._descriptor, "rb", buffering=0, closefd=False) as file:
            self._digest, self.size = hashed(file)

    def _write(self, chunk: bytes) -> None:
        if self.size + len(chunk) > self._expected:
            raise self._wrong()
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def _commit(self, sha256: str) -> None:
        if (self.size, self._digest.hexdigest()) != (self._expected, sha256):
            raise self._wrong()
        os.fsync(self._descriptor)
        self._path.replace(self._target)
        self._is_done = True
        _sync_folder(self._target.parent)

    def _wrong(self) -> WrongContent:
        self._keep = False
        return WrongContent(self._target.name)


def _open_locked(path: Path) -> int:
    # Its last owner may name or remove it between our opening it and our locking it.
    while (descriptor := _open_and_lock(path)) is None:
        pass
    return descriptor


def _open_and_lock(path: Path) -> int | None:
    with ExitStack() as stack:
        # A link of this name is nobody's part.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(path, descriptor):
            return None
        stack.pop_all()
        return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sync_folder(path: Path) -> None:
    """Have the new name outlive a loss of power, too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
