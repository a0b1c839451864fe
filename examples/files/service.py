"""The files of one folder, to be listed and copied: streams of bytes both ways.

``FILES_FOLDER=some/folder farcall serve examples.files.service:Files`` serves one. Whoever may
connect may read and overwrite every file in it.
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
"""The variable of the environment that names the folder."""


@service
class Files:
    """The files of one folder. Paths are relative to it, with ``/`` between their parts.

    None leads out of it, and a link that does is refused. A file that is written has its name when
    all of it is there and its checksum is right; until then it cannot be seen.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        chosen = os.environ.get(FOLDER, "") if folder is None else os.fspath(folder)
        if not chosen:  # an empty path would be the working directory
            raise ValueError(
                f"{FOLDER} does not say which folder to serve; write {FOLDER}=some/folder"
            )
        self._folder = Folder(Path(chosen))

    @stream(raises=[PathRefused, NotFound, NotFolder, StorageFailed])
    async def entries(self, folder: str = "") -> AsyncIterator[Entry]:
        """List what is in a folder, by name; however much it is, no message is too large for it."""
        with _told(folder):
            for entry in await trio.to_thread.run_sync(self._folder.entries, folder):
                yield entry

    @method(thread=True, raises=[PathRefused, NotFound, IsFolder, OffsetOutOfRange, StorageFailed])
    def checksum(self, path: str, size: int | None = None) -> Checksum:
        """Tell the checksum of a file.

        Args:
            path: Of the file.
            size: How many bytes, from the beginning; None for all.

        Raises:
            OffsetOutOfRange: there are not so many.
        """
        with _told(path):
            return checksum_of(self._to_read(path, 0, size), size)

    @stream(raises=[PathRefused, NotFound, IsFolder, OffsetOutOfRange, StorageFailed])
    async def read(
        self, path: str, *, offset: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Give the bytes of a file.

        Args:
            path: Of the file.
            offset: Where to begin.
            stop: Where to end; None for the end of the file.

        Raises:
            OffsetOutOfRange: the file is shorter than one of them, or they are the wrong way round.
        """
        with _told(path):
            place = await trio.to_thread.run_sync(self._to_read, path, offset, stop)
            async with aclosing(chunks_of(place, offset, stop)) as chunks:
                async for chunk in chunks:
                    yield chunk

    @method(thread=True, raises=[PathRefused, NotFound, IsFolder, StorageFailed])
    def kept(self, path: str) -> Checksum | None:
        """Tell what a copy to a path that was interrupted has left; None for nothing."""
        with _told(path):
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
        """Write a file, or replace one, in one step at the end.

        Args:
            path: Of the file; its folder must be there.
            chunks: Its bytes, from `offset` on.
            size: How many bytes the whole file has.
            sha256: The SHA-256 of the whole file, in small hexadecimal digits.
            offset: Go on behind so many bytes of what an interrupted copy has left, see `kept`.
            keep_part: Keep what came, out of sight, if this copy is interrupted; the next one to
                the same path goes on with it, or overwrites it. Without it nothing is left.

        Returns:
            The file as it is now.

        Raises:
            NotFound: there is no such folder to put it in.
            OffsetOutOfRange: there is not so much to go on from.
        """
        with _told(path):
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
def _told(path: str) -> Generator[None, None, None]:
    """Tell what went wrong with a path as the errors that are declared."""
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
