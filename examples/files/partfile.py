"""An incomplete file, called a part: it gets its final name when it is complete and correct.

Until then it is called ``.name.part``. It is in the same folder as the final file, so a single
rename completes it, and readers see either the old file or the new one. An interrupted copy removes
its part, unless it keeps it for a later copy to continue. The next copy to the same path uses up
the part: it continues it or overwrites it.

While a part is written, ``flock`` locks it against other tasks and processes. The lock ends with
the process, even if it is killed. Client and server use this module; it needs POSIX.
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
    """Another copy is writing this part."""


class WrongContent(Exception):
    """The bytes written do not have the expected size or checksum."""


def part_of(target: Path) -> Path:
    """Return the path of the part of a file."""
    return target.with_name(f"{PREFIX}{target.name}{SUFFIX}")


def is_part(name: str) -> bool:
    """Tell whether this is the name of a part."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


@asynccontextmanager
async def open_part(target: Path, *, keep: bool) -> AsyncGenerator[Part, None]:
    """Open the part of a file for an ``async with`` block.

    Args:
        target: The final path of the file.
        keep: Whether to keep the part for a later copy if the block ends before `Part.commit`.

    Raises:
        PartInUse: another copy is writing it.
        OSError: the part cannot be created, or the target is a folder.

    Cancellation:
        The part is removed or kept, as after an error.
    """
    part = await trio.to_thread.run_sync(partial(Part, target, keep=keep))
    try:
        yield part
    finally:
        with trio.CancelScope(shield=True):  # a cancelled copy must still clean up
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
        self._keep = True  # the part of an earlier copy, until this one begins
        self._keeps_own = keep
        self._is_done = False
        self._digest: Digest = hashlib.sha256()
        self._expected = 0
        self.size = os.fstat(self._descriptor).st_size
        """The size of the part so far."""

    async def checksum(self) -> Checksum:
        """Hash what an earlier copy has kept.

        Raises:
            OSError: the part cannot be read.

        Cancellation: stops reading.
        """
        return await trio.to_thread.run_sync(checksum_of, self._path)

    async def begin(self, offset: int, size: int) -> None:
        """Keep the first `offset` bytes, and continue after them.

        Args:
            offset: At most the size of the part; 0 to start over.
            size: The final size.

        Raises:
            OSError: the part cannot be read or truncated.

        Cancellation: stops reading.
        """
        await trio.to_thread.run_sync(self._begin, offset, size)

    async def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            WrongContent: the part would be larger than the final size.
            OSError: the part cannot be written.

        Cancellation: the chunk is written first.
        """
        await trio.to_thread.run_sync(self._write, chunk)

    async def commit(self, sha256: str) -> None:
        """Check the part and rename it to the target, which replaces an existing file.

        Raises:
            WrongContent: size or checksum are wrong; the part will be removed.
            OSError: the part cannot be renamed.

        Cancellation: the rename is completed first.
        """
        await trio.to_thread.run_sync(self._commit, sha256)

    def close(self) -> None:
        """Unlock the part, and remove it unless it is complete or kept."""
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
    # Another copy may rename or remove the file after we open it and before we lock it.
    while (descriptor := _open_and_lock(path)) is None:
        pass
    return descriptor


def _open_and_lock(path: Path) -> int | None:
    with ExitStack() as stack:
        # Do not follow a link with this name: it is not a part.
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
    """Make the new name survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
