"""Two folders and a service between them, for the tests of the example."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from examples.files.content import CHUNK
from examples.files.service import Files
from farcall.testing import MemoryTransport, memory_pair
from stubs.files import FilesProxy
from tests.ends import dial, make_host
from tests.patience import PATIENCE

SEVERAL = 3 * CHUNK + 5
"""Bytes of a file of a few chunks, of which the last one is not full."""


class Interrupted(Exception):
    """The error with which a test interrupts a copy."""


@attrs.frozen
class Desk:
    """A remote folder, a local folder, and a client of the remote one."""

    there: Path
    here: Path
    files: FilesProxy
    link: MemoryTransport


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncGenerator[Desk, None]:
    """Serve a remote folder over a link in memory that can be cut."""
    there, here = folder / "there", folder / "here"
    for each in (there, here):
        each.mkdir(parents=True, exist_ok=True)
    dialled, accepted = memory_pair()
    host = make_host(Files(there))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.serve_link, accepted)
        async with dial(dialled, FilesProxy) as files:
            assert isinstance(files, FilesProxy)
            yield Desk(there, here, files, dialled)
        dialled.abort()  # waits until the service has ended


def content(size: int) -> bytes:
    """Return bytes, no two chunks of which are alike."""
    blocks = (hashlib.sha256(number.to_bytes(8)).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def once(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield some chunks."""
    for chunk in chunks:
        yield chunk


async def without_end(*chunks: bytes) -> AsyncGenerator[bytes, None]:
    """Yield some chunks, and never end."""
    for chunk in chunks:
        yield chunk
    await trio.sleep_forever()


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden or not."""
    return sorted(os.listdir(folder))


async def wait_for_size(path: Path, size: int) -> None:
    """Wait until a file has some size."""
    with trio.fail_after(PATIENCE):
        while not (path.exists() and path.stat().st_size >= size):  # noqa: ASYNC110 - a file has no event
            await trio.sleep(0.002)
