"""List and copy the files of a folder, with streams and uploads of bytes.

Run ``FILES_FOLDER=some/folder farcall serve examples.files.service:Files``. Anyone who can connect
can read and overwrite every file in the folder.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path

import trio

from examples.files.content import Checksum, checksum_of, chunks_of
from examples.files.errors import (
    BeingWritten,
    ChecksumMismatch,
    IsFolder,
    NotFolder,
    NotFound,
    OffsetOutOfRange,
    PathRefused,
    StorageFailed,
)
from examples.files.folder import Entry, Folder
from examples.files.partfile import PartInUse, WrongContent, open_part, part_of
from farcall import method, service, stream

FOLDER = "FILES_FOLDER"
"""The environment variable with the path of the folder."""


@service
class Files:
    """The files of one folder. Paths are relative to the folder and use ``/``.

    Paths and links that lead out of the folder are refused. A new file appears when it is complete
    and its checksum is correct.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        chosen = os.environ.get(FOLDER, "") if folder is None else os.fspath(folder)
        if not chosen:  # an empty path would mean the working directory
            raise ValueError(
                f"{FOLDER} does not say which folder to serve; write {FOLDER}=some/folder"
            )
        self._folder = Folder(Path(chosen))

    @stream(raises=[PathRefused, NotFound, NotFolder, StorageFailed])
    async def entries(self, folder: str = "") -> AsyncIterator[Entry]:
        """List a folder by name. As a stream, the list can be of any length."""
        with _declared_errors(folder):
            for entry in await trio.to_thread.run_sync(self._folder.entries, folder):
                yield entry

    @method(thread=True, raises=[PathRefused, NotFound, IsFolder, OffsetOutOfRange, StorageFailed])
    def checksum(self, path: str, size: int | None = None) -> Checksum:
        """Return the checksum of a file.

        Args:
            path: The path of the file.
            size: How many bytes to read, from the start; None for all.

        Raises:
            OffsetOutOfRange: the file is shorter than `size`.
        """
        with _declared_errors(path):
            return checksum_of(self._to_read(path, 0, size), size)

    @stream(raises=[PathRefused, NotFound, IsFolder, OffsetOutOfRange, StorageFailed])
    async def read(
        self, path: str, *, offset: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file.

        Args:
            path: The path of the file.
            offset: Where to start.
            stop: Where to stop; None for the end of the file.

        Raises:
            OffsetOutOfRange: the file is too short, or `stop` is before `offset`.
        """
        with _declared_errors(path):
            place = await trio.to_thread.run_sync(self._to_read, path, offset, stop)
            async with aclosing(chunks_of(place, offset, stop)) as chunks:
                async for chunk in chunks:
                    yield chunk

    @method(thread=True, raises=[PathRefused, NotFound, IsFolder, StorageFailed])
    def kept(self, path: str) -> Checksum | None:
        """Return the checksum of the part that an interrupted copy has left, or None."""
        with _declared_errors(path):
            part = part_of(self._folder.target(path))
            try:
                return checksum_of(part)
            except FileNotFoundError:
                return None

    @method(
        raises=[
            PathRefused,
            NotFound,
            IsFolder,
            OffsetOutOfRange,
            ChecksumMismatch,
            BeingWritten,
            StorageFailed,
        ]
    )
    async def write(
        self,
        path: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int,
        sha256: str,
        offset: int = 0,
        keep_part: bool = False,
    ) -> Entry:
        """Write or replace a file. It changes in one step, when all bytes have arrived.

        Args:
            path: The path of the file; its folder must exist.
            chunks: The bytes of the file, from `offset` on.
            size: The size of the whole file.
            sha256: The SHA-256 of the whole file, in lower-case hexadecimal.
            offset: How many bytes of the part of an interrupted copy to reuse; see `kept`.
            keep_part: Keep the part if this copy is interrupted. The next copy to the same path
                can continue it, or overwrites it.

        Returns:
            The new file.

        Raises:
            NotFound: the folder does not exist.
            OffsetOutOfRange: the part is shorter than `offset`.
        """
        with _declared_errors(path):
            target = await trio.to_thread.run_sync(self._folder.target, path)
            async with open_part(target, keep=keep_part) as part:
                _check(path, offset, part.size)
                await part.begin(offset, size)
                async for chunk in chunks:
                    await part.write(chunk)
                await part.commit(sha256)
            return await trio.to_thread.run_sync(self._folder.entry, path)

    def _to_read(self, path: str, offset: int, stop: int | None) -> Path:
        place = self._folder.file(path)
        size = place.stat().st_size
        end = size if stop is None else stop
        _check(path, end, size)
        _check(path, offset, end)
        return place


def _check(path: str, offset: int, size: int) -> None:
    if not 0 <= offset <= size:
        raise OffsetOutOfRange(path, offset, size)


@contextmanager
def _declared_errors(path: str) -> Generator[None, None, None]:
    """Turn exceptions of the file system into declared errors."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(path) from None
    except IsADirectoryError:
        raise IsFolder(path) from None
    except PartInUse:
        raise BeingWritten(path) from None
    except WrongContent:
        raise ChecksumMismatch(path) from None
    except OSError as error:
        raise StorageFailed(path, error.strerror or type(error).__name__) from error
