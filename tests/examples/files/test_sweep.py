"""A copy that is ended at any of its steps leaves the whole file or nothing."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
import trio
from trio.testing import MockClock

from examples.files.copying import download, upload
from examples.files.service import Files
from farcall.testing import CancelledBy, cancel_sweep, open_pair
from stubs.files import FilesProxy
from tests.examples.files.desk import SEVERAL, content, names
from tests.sweeps import by_each_cause

T = TypeVar("T")


@pytest.fixture
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run threaded functions in the task, so that each step is a step of Trio."""

    async def run_sync(function: Callable[..., T], *args: object, **_options: object) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            return function(*args)
        finally:
            await trio.lowlevel.cancel_shielded_checkpoint()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    monkeypatch.setattr(trio.from_thread, "check_cancelled", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@attrs.frozen
class Room:
    """The client and the local folder of one run."""

    files: FilesProxy
    here: Path


async def copy_up(room: Room) -> None:
    await upload(room.files, room.here / "source", "copy")


async def copy_down(room: Room) -> None:
    await download(room.files, "source", room.here / "copy")


@by_each_cause("copy", [copy_up, copy_down])
@pytest.mark.usefixtures("_no_threads")
async def test_nothing_half_is_left(
    copy: Callable[[Room], Awaitable[None]],
    by: CancelledBy,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """A copy that the caller, the server or a lost link ends leaves the whole file or nothing."""
    data = content(SEVERAL)
    numbers = itertools.count()
    outcomes: set[bool] = set()

    @asynccontextmanager
    async def open_room() -> AsyncGenerator[Room, None]:
        folders = [tmp_path / f"{next(numbers)}-{name}" for name in ("there", "here")]
        for folder in folders:
            folder.mkdir()
            (folder / "source").write_bytes(data)
        there, here = folders
        async with open_pair(Files(there), FilesProxy) as pair:
            yield Room(pair.client, here)
        for folder in folders:
            left = names(folder)
            assert left in (["source"], ["copy", "source"])
            assert {(folder / name).read_bytes() for name in left} == {data}
            outcomes.add("copy" in left)
            shutil.rmtree(folder)

    report = await cancel_sweep(open_room, copy, by=by, again=_look)

    assert report.runs > 20
    assert outcomes == {False, True}


async def _look(room: Room) -> None:
    await room.files.checksum("source")
