"""Copy files to and from a `Files` service. A copy is complete, or it does not appear at all."""

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
"""Called with the bytes copied and the size of the file, at the start and after each chunk."""


def unseen(_done: int, _total: int) -> None:
    """Report no progress."""


async def download(
    files: FilesProxy,
    remote: str,
    local: Path,
    *,
    resume: bool = False,
    progress: Progress = unseen,
) -> Checksum:
    """Copy a file from the service to this machine.

    Args:
        files: The service.
        remote: The path of the file on the service.
        local: The path on this machine. Its folder must exist; an existing file is replaced.
        resume: Continue an interrupted copy, if its part matches the file; and keep the part of
            this copy if it is interrupted. Otherwise the part is removed.
        progress: Called with the progress.

    Returns:
        The size and checksum of the file.

    Raises:
        WrongContent: the file changed while it was copied, or was damaged in transit.
        PartInUse: another copy to the same path is running.
        OSError: the file cannot be written on this machine.
        FarcallError: the service refuses, or the connection ended.

    Cancellation:
        The part is removed, or kept with `resume`.
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
    """Copy a file from this machine to the service.

    Args:
        files: The service.
        local: The path of the file on this machine.
        remote: The path on the service. Its folder must exist; an existing file is replaced.
        resume: As for `download`; the service keeps the part.
        progress: Called with the bytes handed to the connection so far.

    Returns:
        The file on the service.

    Raises:
        OSError: the file cannot be read.
        ChecksumMismatch: the file changed while it was copied, or was damaged in transit.
        BeingWritten: another copy to the same path is running.
        FarcallError: the service refuses for another reason, or the connection ended.

    Cancellation:
        The service removes the part, or keeps it with `resume`.
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
    """Return the size of a local part if it is the beginning of the remote file, else 0."""
    if not 0 < part.size <= size:
        return 0
    there = await files.checksum(remote, part.size)
    return part.size if there.sha256 == (await part.checksum()).sha256 else 0


async def _kept(files: FilesProxy, remote: str, local: Path) -> int:
    """Return the size of the remote part if it is the beginning of the local file, else 0."""
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
