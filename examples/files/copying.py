"""Copy files to and from a `Files` service: all of a file gets there, or nothing that shows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

import trio

from examples.files.content import Checksum, checksum_of, chunks_of
from examples.files.partfile import Part, open_part
from stubs.files import Entry, FilesProxy

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes copied and those of the whole file, at first and after each chunk."""


def unseen(_done: int, _total: int) -> None:
    """Show nobody the progress."""


async def download(
    files: FilesProxy,
    remote: str,
    local: Path,
    *,
    resume: bool = False,
    progress: Progress = unseen,
) -> Checksum:
    """Copy a file of the service to this machine.

    Args:
        files: The service.
        remote: The path of the file there.
        local: What it will be here; its folder must be there. A file of this name is replaced.
        resume: Go on with what an earlier copy has kept, if the file there begins with that, and
            keep what came, out of sight, if this one is interrupted. Without it nothing is left.
        progress: Told how far it is.

    Returns:
        What was copied.

    Raises:
        WrongContent: the file changed while it was copied, or was damaged on its way.
        PartInUse: another copy to the same place is under way.
        OSError: this machine refuses.
        FarcallError: the service refuses, or the connection ended.

    Cancellation:
        What came is removed, or kept.
    """
    there = await files.checksum(remote)
    async with open_part(local, keep=resume) as part:
        offset = await _common(files, remote, part, there.size) if resume else 0
        await part.begin(offset, there.size)
        progress(offset, there.size)
        async with files.read(remote, offset=offset, stop=there.size) as chunks:
            async for chunk in chunks:
                await part.write(chunk)
                progress(part.size, there.size)
        await part.commit(there.sha256)
    return Checksum(there.size, there.sha256)


async def upload(
    files: FilesProxy,
    local: Path,
    remote: str,
    *,
    resume: bool = False,
    progress: Progress = unseen,
) -> Entry:
    """Copy a file of this machine to the service.

    Args:
        files: The service.
        local: The file here.
        remote: What it will be there; its folder must be there. A file of this name is replaced.
        resume: As for `download`; the service keeps what came.
        progress: Told how far it is, by what was handed to the connection.

    Returns:
        The file as it is there.

    Raises:
        OSError: the file cannot be read.
        ChecksumMismatch: it changed while it was copied, or was damaged on its way.
        BeingWritten: another copy to the same place is under way.
        FarcallError: the service refuses otherwise, or the connection ended.

    Cancellation:
        The service has removed what came, or has kept it.
    """
    here = await trio.to_thread.run_sync(checksum_of, local)
    offset = await _kept(files, remote, local) if resume else 0
    return await files.write(
        remote,
        _reported(local, offset, here.size, progress),
        size=here.size,
        sha256=here.sha256,
        offset=offset,
        keep_part=resume,
    )


async def _common(files: FilesProxy, remote: str, part: Part, size: int) -> int:
    """Tell how much of a part is the beginning of the file there: all, or else nothing."""
    if not 0 < part.size <= size:
        return 0
    there = await files.checksum(remote, part.size)
    return part.size if there.sha256 == (await part.checksum()).sha256 else 0


async def _kept(files: FilesProxy, remote: str, local: Path) -> int:
    """Tell how much the service has kept of the file here: all that it has, or else nothing."""
    there = await files.kept(remote)
    if there is None:
        return 0
    here = await trio.to_thread.run_sync(checksum_of, local, there.size)
    return there.size if here.sha256 == there.sha256 else 0


async def _reported(
    path: Path, start: int, stop: int, progress: Progress
) -> AsyncGenerator[bytes, None]:
    progress(start, stop)
    async with aclosing(chunks_of(path, start, stop)) as chunks:
        async for chunk in chunks:
            yield chunk
            start += len(chunk)
            progress(start, stop)
