"""The paths that the service accepts, and the entries that it lists."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from examples.files import errors
from examples.files.copying import download
from examples.files.service import FOLDER, Files
from farcall import Limits
from farcall.testing import open_pair
from stubs.files import (
    FilesProxy,
    IsFolder,
    NotFolder,
    NotFound,
    PathRefused,
    StorageFailed,
)
from tests.examples.files.desk import Desk, names, once, sha256
from tests.patience import PATIENCE


@pytest.fixture
def hidden(desk: Desk) -> Path:
    """Put a secret beside the served folder, and links to it inside."""
    outside = desk.there.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (desk.there / "folder").mkdir()
    (desk.there / "out").symlink_to(outside)
    (desk.there / "link").symlink_to(outside / "secret")
    (desk.there / "nowhere").symlink_to(outside / "nothing")
    (desk.there / ".kept.part").write_bytes(b"part")
    return outside


async def entries(files: FilesProxy, path: str) -> object:
    async with files.entries(path) as found:
        return [entry async for entry in found]


async def read(files: FilesProxy, path: str) -> object:
    async with files.read(path) as chunks:
        return [chunk async for chunk in chunks]


async def checksum(files: FilesProxy, path: str) -> object:
    return await files.checksum(path)


async def kept(files: FilesProxy, path: str) -> object:
    return await files.kept(path)


async def write(files: FilesProxy, path: str) -> object:
    return await files.write(path, once(b"x"), size=1, sha256=sha256(b"x"))


Use = Callable[[FilesProxy, str], Awaitable[object]]
METHODS: tuple[Use, ...] = (entries, read, checksum, kept, write)


@pytest.mark.parametrize("use", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside/secret",
        "folder/../../outside/secret",
        "folder/..",
        "{outside}/secret",
        "{there}/folder",
        "/",
        "//",
        "out",
        "out/secret",
        "out/new",
        "link",
        "nowhere",
        "nul\0",
        "folder\0/../..",
        ".kept.part",
        ".new.part",
        "folder/.part/new",
    ],
)
async def test_a_path_out_of_the_folder_is_refused(
    desk: Desk, hidden: Path, use: Use, path: str
) -> None:
    """A path out of the folder, or to a part, is refused by every method."""
    before = names(desk.there)
    with pytest.raises(PathRefused):
        await use(desk.files, path.format(outside=hidden, there=desk.there))

    assert names(hidden) == ["secret"]
    assert (hidden / "secret").read_bytes() == b"secret"
    assert names(desk.there) == before
    assert (desk.there / ".kept.part").read_bytes() == b"part"


def test_a_path_with_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    """A path with a lone surrogate is refused."""
    with pytest.raises(errors.PathRefused):
        Files(tmp_path).checksum("\ud800")


@pytest.mark.parametrize(
    ("use", "path", "error"),
    [
        (entries, "none", NotFound),
        (entries, "file", NotFolder),
        (entries, "file/x", NotFolder),
        (read, "none", NotFound),
        (read, "folder", IsFolder),
        (read, "", IsFolder),
        (checksum, "none", NotFound),
        (checksum, "folder", IsFolder),
        (checksum, "file/x", NotFound),
        (kept, "folder", IsFolder),
        (kept, "file/x", NotFound),
        (write, "folder", IsFolder),
        (write, ".", IsFolder),
        (write, "none/x", NotFound),
        (write, "file/x", NotFound),
        (write, "n" * 254, StorageFailed),
        (read, "circle", StorageFailed),
        (read, "pipe", PathRefused),
        (write, "pipe", PathRefused),
    ],
)
async def test_a_path_that_cannot_be_used_is_an_error(
    desk: Desk, use: Use, path: str, error: type[Exception]
) -> None:
    """A path that cannot be used raises its own error, and a pipe blocks no method."""
    (desk.there / "file").write_bytes(b"file")
    (desk.there / "folder").mkdir()
    (desk.there / "circle").symlink_to("circle")
    os.mkfifo(desk.there / "pipe")
    before = names(desk.there)

    with trio.fail_after(PATIENCE), pytest.raises(error):
        await use(desk.files, path)

    assert names(desk.there) == before


async def test_nothing_is_kept_where_nothing_was_copied(desk: Desk) -> None:
    """A file that was never copied has no part."""
    (desk.there / "a").write_bytes(b"a")
    assert await desk.files.kept("a") is await desk.files.kept("b") is None


async def test_a_link_that_stays_in_the_folder_is_followed(desk: Desk) -> None:
    """A link to a file in the folder is read and written through."""
    (desk.there / "folder").mkdir()
    (desk.there / "folder" / "a").write_bytes(b"abc")
    (desk.there / "link").symlink_to("folder/a")

    assert await read(desk.files, "link") == [b"abc"]
    await write(desk.files, "link")

    assert (desk.there / "link").is_symlink()
    assert (desk.there / "folder" / "a").read_bytes() == b"x"
    assert names(desk.there / "folder") == ["a"]


async def test_a_download_into_a_folder_or_nowhere_fails(desk: Desk) -> None:
    """A download to a folder, or into a missing one, fails."""
    (desk.there / "a").write_bytes(b"abc")
    with pytest.raises(IsADirectoryError):
        await download(desk.files, "a", desk.here, progress=lambda *_: pytest.fail("it began"))
    with pytest.raises(FileNotFoundError):
        await download(desk.files, "a", desk.here / "none" / "a")


# Listing


async def test_a_folder_is_listed_by_name(desk: Desk, hidden: Path) -> None:
    """A listing leaves out links to the outside, parts, pipes and names that are not Unicode."""
    (desk.there / "folder" / "b").write_bytes(b"b")
    (desk.there / "a").write_bytes(b"abc")
    os.utime(desk.there / "a", (0, 86400))
    os.mkfifo(desk.there / "pipe")
    (desk.there / "circle").symlink_to("circle")
    Path(os.fsdecode(os.fsencode(desk.there) + b"/\xff")).touch()

    async with desk.files.entries() as found:
        top = [entry async for entry in found]
    async with desk.files.entries("folder/") as found:
        below = [entry async for entry in found]

    assert [(each.path, each.size, each.is_folder) for each in top] == [
        ("a", 3, False),
        ("folder", 0, True),
    ]
    assert top[0].modified.isoformat() == "1970-01-02T00:00:00+00:00"
    assert [(each.path, each.size) for each in below] == [("folder/b", 1)]


async def test_a_folder_is_listed_however_much_is_in_it(tmp_path: Path) -> None:
    """A folder of any size is listed, in several messages."""
    expected = [f"{number:04}" for number in range(500)]
    for name in expected:
        (tmp_path / name).touch()
    limits = Limits(message=4096)
    async with open_pair(Files(tmp_path), FilesProxy, limits=limits) as pair:
        async with pair.client.entries() as found:
            assert [entry.path async for entry in found] == expected


# The served folder


async def test_the_folder_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names the folder; without a valid one the service raises."""
    monkeypatch.delenv(FOLDER, raising=False)
    with pytest.raises(ValueError, match=f"write {FOLDER}=some/folder"):
        Files()
    monkeypatch.setenv(FOLDER, str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        Files()
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(NotADirectoryError):
        Files(tmp_path / "a")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert (await trio.to_thread.run_sync(Files().checksum, "a")).size == 3


@pytest.mark.parametrize("folder", ["", None])
def test_an_empty_path_is_refused(folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path is refused, because it would serve the working directory."""
    monkeypatch.setenv(FOLDER, "")

    with pytest.raises(ValueError, match="does not say which folder to serve"):
        Files(folder)
