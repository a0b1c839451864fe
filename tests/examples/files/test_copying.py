"""A copy arrives whole or not at all."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from examples.files import copying
from examples.files.content import CHUNK, checksum_of
from examples.files.copying import download, upload
from examples.files.partfile import Part, PartInUse, WrongContent, part_of
from examples.files.service import Files
from farcall import ConnectionLost
from stubs.files import BeingWritten, ChecksumMismatch, FilesProxy, OffsetOutOfRange
from tests.ends import KINDS, Kind, open_client
from tests.examples.files.desk import (
    SEVERAL,
    Desk,
    Interrupted,
    content,
    names,
    once,
    sha256,
    wait_for_size,
    without_end,
)
from tests.patience import PATIENCE


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the size of each chunk that is written to a part, on either side."""
    sizes: list[int] = []
    write = Part.write

    async def noting(part: Part, chunk: bytes) -> None:
        sizes.append(len(chunk))
        await write(part, chunk)

    monkeypatch.setattr(Part, "write", noting)
    return sizes


# Complete copies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, CHUNK, 4 * 2**20 + 7])
async def test_a_file_gets_there_and_back(kind: Kind, size: int, tmp_path: Path) -> None:
    """A file of any size arrives unchanged, and no other file is left."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (here / "a").write_bytes(content(size))
    with trio.fail_after(PATIENCE):
        async with open_client(kind, Files(there), FilesProxy) as files:
            entry = await upload(files, here / "a", "b")
            copied = await download(files, "b", here / "c")

    assert (entry.path, entry.size, entry.is_folder) == ("b", size, False)
    assert (copied.size, copied.sha256) == (size, sha256(content(size)))
    assert (there / "b").read_bytes() == (here / "c").read_bytes() == content(size)
    assert (names(there), names(here)) == (["b"], ["a", "c"])


async def test_progress_begins_at_the_offset_and_reaches_the_total(desk: Desk) -> None:
    """Progress begins at the offset and has a step for each chunk, both ways."""
    (desk.here / "a").write_bytes(content(SEVERAL))
    up: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []

    await upload(desk.files, desk.here / "a", "a", progress=lambda *step: up.append(step))
    await download(desk.files, "a", desk.here / "b", progress=lambda *step: down.append(step))

    done = [0, CHUNK, 2 * CHUNK, 3 * CHUNK, SEVERAL]
    assert up == down == [(each, SEVERAL) for each in done]


async def test_a_file_is_replaced_in_one_step(desk: Desk) -> None:
    """A reader sees the old file until the new one is complete."""
    new = content(SEVERAL)
    (desk.there / "a").write_bytes(b"old")
    gate = trio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield new[:CHUNK]
        await gate.wait()
        yield new[CHUNK:]

    async with trio.open_nursery() as nursery:
        write = partial(desk.files.write, size=len(new), sha256=sha256(new))
        nursery.start_soon(write, "a", chunks())
        await wait_for_size(part_of(desk.there / "a"), CHUNK)
        assert (desk.there / "a").read_bytes() == b"old"
        gate.set()

    assert (desk.there / "a").read_bytes() == new
    assert names(desk.there) == ["a"]


async def test_a_file_that_grows_is_copied_as_it_was(desk: Desk) -> None:
    """A file that grows during the copy is copied as it was."""
    old = content(SEVERAL)
    for folder in (desk.here, desk.there):
        (folder / "log").write_bytes(old)

    def grow(path: Path, done: int, _total: int) -> None:
        if done == 0:
            with path.open("ab") as file:
                file.write(b"more")

    await upload(desk.files, desk.here / "log", "up", progress=partial(grow, desk.here / "log"))
    await download(
        desk.files, "log", desk.here / "down", progress=partial(grow, desk.there / "log")
    )

    assert (desk.there / "up").read_bytes() == (desk.here / "down").read_bytes() == old


# Resumed copies


async def interrupted_upload(desk: Desk) -> Path:
    """Leave two chunks of a local file in the remote folder."""
    data = content(SEVERAL)
    (desk.here / "f").write_bytes(data)
    part = part_of(desk.there / "f")
    with pytest.MonkeyPatch.context() as patch:
        stalled = without_end(data[:CHUNK], data[CHUNK : 2 * CHUNK])
        patch.setattr(copying, "chunks_of", lambda *_: stalled)
        async with trio.open_nursery() as nursery:
            copy = partial(upload, desk.files, desk.here / "f", "f", resume=True)
            nursery.start_soon(copy)
            await wait_for_size(part, 2 * CHUNK)
            nursery.cancel_scope.cancel()
    return part


async def interrupted_download(desk: Desk) -> Path:
    """Leave two chunks of a remote file in the local folder."""
    (desk.there / "f").write_bytes(content(SEVERAL))

    def progress(done: int, _total: int) -> None:
        if done == 2 * CHUNK:
            raise Interrupted

    with pytest.raises(Interrupted):
        await download(desk.files, "f", desk.here / "f", resume=True, progress=progress)
    return part_of(desk.here / "f")


async def resumed_upload(desk: Desk, *, resume: bool = True) -> Path:
    await upload(desk.files, desk.here / "f", "f", resume=resume)
    return desk.there / "f"


async def resumed_download(desk: Desk, *, resume: bool = True) -> Path:
    await download(desk.files, "f", desk.here / "f", resume=resume)
    return desk.here / "f"


WAYS = pytest.mark.parametrize(
    ("interrupted", "resumed"),
    [
        pytest.param(interrupted_upload, resumed_upload, id="up"),
        pytest.param(interrupted_download, resumed_download, id="down"),
    ],
)
Interrupt = Callable[[Desk], Awaitable[Path]]
Resume = Callable[..., Awaitable[Path]]


@WAYS
async def test_a_copy_goes_on_where_one_was_interrupted(
    desk: Desk, written: list[int], interrupted: Interrupt, resumed: Resume
) -> None:
    """A resumed copy sends only the rest, and its part is gone."""
    part = await interrupted(desk)
    kept = part.stat().st_size
    assert kept == 2 * CHUNK == sum(written)
    assert names(part.parent) == [part.name]

    target = await resumed(desk)

    assert sum(written[2:]) == SEVERAL - kept
    assert target.read_bytes() == content(SEVERAL)
    assert not part.exists()


@WAYS
@pytest.mark.parametrize("spoiled", [b"x", b"x" * SEVERAL, b"x" * (SEVERAL + 1)], ids=len)
async def test_a_part_of_another_file_is_not_resumed(
    desk: Desk, written: list[int], interrupted: Interrupt, resumed: Resume, spoiled: bytes
) -> None:
    """A copy begins anew if its part differs from the file."""
    part = await interrupted(desk)
    part.write_bytes(spoiled)
    written.clear()

    target = await resumed(desk)

    assert sum(written) == SEVERAL
    assert target.read_bytes() == content(SEVERAL)
    assert not part.exists()


@WAYS
async def test_a_copy_that_does_not_resume_begins_anew(
    desk: Desk, written: list[int], interrupted: Interrupt, resumed: Resume
) -> None:
    """A copy without `resume` begins anew and removes the part."""
    part = await interrupted(desk)
    written.clear()

    await resumed(desk, resume=False)

    assert sum(written) == SEVERAL
    assert not part.exists()


@WAYS
async def test_a_part_that_is_complete_only_needs_its_name(
    desk: Desk, written: list[int], interrupted: Interrupt, resumed: Resume
) -> None:
    """A complete part is only renamed."""
    part = await interrupted(desk)
    part.write_bytes(content(SEVERAL))
    written.clear()

    assert (await resumed(desk)).read_bytes() == content(SEVERAL)
    assert sum(written) == 0


async def test_an_offset_beyond_the_part_is_refused(desk: Desk) -> None:
    """An offset beyond the part is refused, and the part stays as it was."""
    part = await interrupted_upload(desk)
    for offset in (-1, 2 * CHUNK + 1):
        with pytest.raises(OffsetOutOfRange) as caught:
            await desk.files.write("f", once(b"x"), size=1, sha256="", offset=offset)
        assert (caught.value.offset, caught.value.size) == (offset, 2 * CHUNK)

    kept = await desk.files.kept("f")
    assert kept is not None
    assert part.read_bytes() == content(SEVERAL)[: 2 * CHUNK]
    assert kept.sha256 == sha256(part.read_bytes())


@pytest.mark.parametrize(("offset", "stop"), [(-1, None), (4, None), (2, 1), (0, 4), (0, -1)])
async def test_a_range_that_is_not_in_the_file_is_refused(
    desk: Desk, offset: int, stop: int | None
) -> None:
    """A range or a checksum beyond the file is refused."""
    (desk.there / "f").write_bytes(b"abc")
    with pytest.raises(OffsetOutOfRange):
        async with desk.files.read("f", offset=offset, stop=stop) as chunks:
            [chunk async for chunk in chunks]
    for size in (-1, 4):
        with pytest.raises(OffsetOutOfRange):
            await desk.files.checksum("f", size)


async def test_a_checksum_is_cancelled_at_the_next_chunk(tmp_path: Path) -> None:
    """A checksum can be cancelled before the file is read to its end."""
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**33)
    with trio.move_on_after(0.05) as scope:
        await trio.to_thread.run_sync(checksum_of, tmp_path / "a")

    assert scope.cancelled_caught


async def test_a_range_of_a_file_is_read(desk: Desk) -> None:
    """A range of a file can be read."""
    (desk.there / "f").write_bytes(b"abc")
    async with desk.files.read("f", offset=1, stop=2) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"b"
    async with desk.files.read("f", offset=3) as chunks:
        assert [chunk async for chunk in chunks] == []
    assert (await desk.files.checksum("f", 2)).sha256 == sha256(b"ab")


# Interrupted copies


@pytest.mark.parametrize("way", ["cancelled", "cut", "failed"])
async def test_an_interrupted_upload_leaves_nothing(desk: Desk, way: str) -> None:
    """An interrupted upload leaves the old file and no part."""
    (desk.there / "a").write_bytes(b"old")

    async def failing() -> AsyncGenerator[bytes, None]:
        yield content(CHUNK)
        await wait_for_size(part_of(desk.there / "a"), CHUNK)
        raise Interrupted

    chunks = failing() if way == "failed" else without_end(content(CHUNK))
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            with pytest.raises((Interrupted, ConnectionLost, trio.Cancelled)) as caught:
                await desk.files.write("a", chunks, size=SEVERAL, sha256="")
            assert way != "failed" or caught.type is Interrupted
            if caught.type is trio.Cancelled:
                raise caught.value

        nursery.start_soon(write)
        if way != "failed":
            await wait_for_size(part_of(desk.there / "a"), CHUNK)
        if way == "cancelled":
            nursery.cancel_scope.cancel()
        elif way == "cut":
            desk.link.cut()

    with trio.fail_after(PATIENCE):
        while names(desk.there) != ["a"]:
            assert way == "cut", "the service had ended before the call did"
            await trio.sleep(0.002)
    assert (desk.there / "a").read_bytes() == b"old"


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("way", ["cancelled", "cut", "failed"])
async def test_an_interrupted_download_leaves_what_was_asked_for(
    desk: Desk, way: str, resume: bool
) -> None:
    """An interrupted download leaves the old file, and its part only with `resume`."""
    (desk.there / "a").write_bytes(content(40 * CHUNK))
    (desk.here / "a").write_bytes(b"old")
    scope = trio.CancelScope()

    def progress(done: int, _total: int) -> None:
        if done == CHUNK:
            match way:
                case "cancelled":
                    scope.cancel()
                case "cut":
                    desk.link.cut()
                case _:
                    raise Interrupted

    with scope:
        with pytest.raises((Interrupted, ConnectionLost)):
            await download(desk.files, "a", desk.here / "a", resume=resume, progress=progress)

    assert scope.cancelled_caught == (way == "cancelled")
    part = part_of(desk.here / "a")
    assert names(desk.here) == ([part.name] if resume else []) + ["a"]
    assert (desk.here / "a").read_bytes() == b"old"
    if resume:
        assert part.read_bytes() == content(40 * CHUNK)[: part.stat().st_size]


# Damaged and concurrent copies


@pytest.mark.parametrize("keep_part", [False, True])
@pytest.mark.parametrize(
    ("sent", "size", "checksum"),
    [
        pytest.param(b"abd", 3, sha256(b"abc"), id="another checksum"),
        pytest.param(b"ab", 3, sha256(b"ab"), id="too short"),
        pytest.param(b"abcd", 3, sha256(b"abc"), id="too long"),
        pytest.param(b"", -1, sha256(b""), id="no size at all"),
    ],
)
async def test_an_upload_that_was_not_announced_is_dropped(
    desk: Desk, sent: bytes, size: int, checksum: str, keep_part: bool
) -> None:
    """An upload of another size or checksum than announced is dropped."""
    (desk.there / "a").write_bytes(b"old")
    with pytest.raises(ChecksumMismatch):
        await desk.files.write("a", once(sent), size=size, sha256=checksum, keep_part=keep_part)

    assert names(desk.there) == ["a"]
    assert (desk.there / "a").read_bytes() == b"old"


async def test_an_upload_without_end_is_stopped_at_its_size(desk: Desk) -> None:
    """An upload that goes on beyond its announced size is stopped."""
    with trio.fail_after(PATIENCE), pytest.raises(ChecksumMismatch):
        await desk.files.write("a", without_end(b"x" * 10, b"y"), size=10, sha256="")

    assert names(desk.there) == []


@pytest.mark.parametrize("resume", [False, True])
async def test_a_file_that_changes_while_it_is_copied_is_not_taken(
    desk: Desk, resume: bool
) -> None:
    """A copy of a file that changes meanwhile fails and leaves nothing, at either end."""
    for folder in (desk.here, desk.there):
        (folder / "a").write_bytes(content(SEVERAL))

    def change(path: Path, done: int, _total: int) -> None:
        if done == 0:
            path.write_bytes(b"x" * SEVERAL)

    progress = partial(change, desk.here / "a")
    with pytest.raises(ChecksumMismatch):
        await upload(desk.files, desk.here / "a", "b", resume=resume, progress=progress)
    progress = partial(change, desk.there / "a")
    with pytest.raises(WrongContent):
        await download(desk.files, "a", desk.here / "b", resume=resume, progress=progress)

    assert names(desk.here) == names(desk.there) == ["a"]


async def test_a_file_has_one_writer_at_a_time(desk: Desk) -> None:
    """A second writer of a file is refused and does not disturb the first."""
    data = content(SEVERAL)
    (desk.there / "b").write_bytes(data)
    gate = trio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield data[:CHUNK]
        await gate.wait()
        yield data[CHUNK:]

    async with trio.open_nursery() as nursery:
        write = partial(desk.files.write, size=SEVERAL, sha256=sha256(data))
        nursery.start_soon(write, "a", chunks())
        await wait_for_size(part_of(desk.there / "a"), CHUNK)

        with pytest.raises(BeingWritten):
            await write("a", once(data))
        with pytest.raises(PartInUse):
            await download(desk.files, "b", desk.there / "a")
        await write("another", once(data))
        gate.set()

    assert (desk.there / "a").read_bytes() == data
    assert (desk.there / "another").read_bytes() == data
    assert names(desk.there) == ["a", "another", "b"]


def test_a_part_that_got_its_name_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that another process renames before it is locked is not written to."""
    target = tmp_path / "a"
    part_of(target).write_bytes(b"complete")
    lock = fcntl.flock

    def lock_late(descriptor: int, flags: int) -> None:
        if part_of(target).exists() and not target.exists():
            part_of(target).rename(target)
        lock(descriptor, flags)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    part = Part(target, keep=False)
    size = part.size
    part.close()

    assert size == 0
    assert target.read_bytes() == b"complete"
    assert names(tmp_path) == ["a"]
