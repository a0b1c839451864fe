"""The command line of the example: its output and its exit status."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from rich.console import Console

import farcall
from examples.files import client, service
from examples.files.content import CHUNK
from examples.files.partfile import Part, part_of
from examples.files.progress import shown
from examples.files.service import FOLDER, Files
from tests.examples.files.desk import SEVERAL, content, names, sha256, wait_for_size
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]


def words(*command: str) -> list[str]:
    return [sys.executable, "-m", *command]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which a process finds the examples."""
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as the documentation says, and return the URL."""
    command = words("farcall", "serve", "examples.files.service:Files", "--port", "0")
    with subprocess.Popen(
        command,
        env=environment(**{FOLDER: str(folder)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("Serving at ").strip()
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def run(here: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words("examples.files.client", *command),
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_files_are_listed_and_copied_by_commands(tmp_path: Path) -> None:
    """The commands of the documentation list and copy files."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    data = content(SEVERAL)
    (here / "big").write_bytes(data)
    with served(there) as url:
        put = run(here, url, "put", "big")
        get = run(here, url, "get", "big", "copy")
        ls = run(here, url, "ls")
        missing = run(here, url, "get", "none")

    assert (put.returncode, put.stdout) == (0, f"big: {SEVERAL} bytes\n")
    assert (get.returncode, get.stdout) == (0, f"copy: {SEVERAL} bytes, SHA-256 {sha256(data)}\n")
    shown = [f"big: {each} % of {SEVERAL} bytes" for each in (0, 30, 60, 90, 100)]
    assert put.stderr.splitlines() == get.stderr.splitlines() == shown
    assert ls.returncode == 0
    assert ls.stdout.split()[::3] == [str(SEVERAL), "big"]
    assert (there / "big").read_bytes() == (here / "copy").read_bytes() == data
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "files: none: no such file or folder on the server\n"


@pytest.mark.parametrize("resume", [False, True])
async def test_an_interrupt_ends_a_copy_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    """An interrupted copy exits with the status of its signal, and only --resume leaves a part."""
    data = content(SEVERAL)
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "a").write_bytes(data)

    async def stalled(*_args: object) -> AsyncGenerator[bytes, None]:
        yield data[:CHUNK]
        await trio.sleep_forever()

    monkeypatch.setattr(service, "chunks_of", stalled)
    flags = ["--resume"] * resume
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Files(there), 0)
        process = await trio.lowlevel.open_process(
            words("examples.files.client", server.url, "get", *flags, "a"),
            cwd=here,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await wait_for_size(part_of(here / "a"), CHUNK)
        process.send_signal(signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await process.wait() == 128 + signal.SIGINT
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.receive_some() == b""
        told = await process.stderr.receive_some()
        assert told.startswith(b"a: 0 % of")
        assert b"Traceback" not in told
        await process.stdout.aclose()
        await process.stderr.aclose()
        server.shutdown()

    assert names(here) == [".a.part"] * resume


@pytest.fixture
async def url(tmp_path: Path) -> AsyncGenerator[str, None]:
    """Serve a remote folder with a file and a folder."""
    there = tmp_path / "there"
    (there / "folder").mkdir(parents=True)
    (there / "a").write_bytes(b"abc")
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Files(there), 0)
        yield server.url
        server.shutdown()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a local folder with a file and a folder."""
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    (here / "mine").write_bytes(b"mine")
    monkeypatch.chdir(here)
    return here


async def status(*command: str) -> int:
    """Run a command in this process."""
    with trio.fail_after(PATIENCE):
        return await client.run(client.parse(command))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["ls", ".."], "..: refused, not a path in the folder that is served"),
        (["ls", "none"], "none: no such file or folder on the server"),
        (["ls", "a"], "a: not a folder on the server"),
        (["get", "../a"], "../a: refused, not a path in the folder that is served"),
        (
            ["get", "/etc/passwd"],
            "/etc/passwd: refused, not a path in the folder that is served",
        ),
        (["get", "folder"], "folder: a folder on the server, not a file"),
        (["get", "a", "none/a"], "none/.a.part: No such file or directory"),
        (["get", "a", "busy"], "busy: another copy to it is running"),
        (["put", "none"], "none: No such file or directory"),
        (["put", "folder"], "folder: Is a directory"),
        (["put", "mine", "folder"], "folder: a folder on the server, not a file"),
        (["put", "mine", "none/"], "none/mine: no such file or folder on the server"),
        (
            ["put", "mine", "../mine"],
            "../mine: refused, not a path in the folder that is served",
        ),
        (["put", "mine", "n" * 254], "n" * 254 + ": File name too long (on the server)"),
    ],
)
async def test_a_failure_is_one_line(
    url: str, here: Path, capsys: pytest.CaptureFixture[str], command: list[str], reason: str
) -> None:
    """A command that fails prints one line with its reason, and leaves nothing."""
    before = names(here)
    part = Part(here / "busy", keep=False)
    try:
        assert await status(url, *command) == 1
    finally:
        part.close()

    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line for line in shown.err.splitlines() if "%" not in line] == [f"files: {reason}"]
    assert names(here) == before


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ws://127.0.0.1:1", "ws://127.0.0.1:1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
async def test_no_server_is_one_line(
    capsys: pytest.CaptureFixture[str], address: str, reason: str
) -> None:
    """A server that cannot be reached is one line."""
    assert await status(address, "ls") == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("files: ")
    assert reason in shown.err
    assert shown.err.count("\n") == 1


async def test_a_copy_that_was_damaged_is_one_line(
    url: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged copy is one line, for get and put."""

    async def wrong(*_args: object) -> AsyncGenerator[bytes, None]:
        yield b"xyz"

    monkeypatch.setattr(service, "chunks_of", wrong)
    monkeypatch.setattr("examples.files.copying.chunks_of", wrong)

    assert await status(url, "get", "a") == 1
    assert await status(url, "put", "mine") == 1

    told = "changed while it was copied, or was damaged; nothing was written"
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "%" not in line] == [
        f"files: a: {told}",
        f"files: mine: {told}",
    ]


async def test_names_that_are_left_out_follow_from_the_others(
    url: str, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing target name is the name of the source."""
    for command in (
        ["get", "a"],
        ["get", "a", "folder"],
        ["put", "mine"],
        ["put", "mine", "folder/"],
        ["get", "folder/mine", "other"],
        ["ls", "folder"],
    ):
        assert await status(url, *command) == 0

    there = tmp_path / "there"
    assert (here / "a").read_bytes() == (here / "folder" / "a").read_bytes() == b"abc"
    assert (there / "mine").read_bytes() == (there / "folder" / "mine").read_bytes() == b"mine"
    assert (here / "other").read_bytes() == b"mine"
    assert capsys.readouterr().out.endswith(" folder/mine\n")


async def test_a_copy_is_resumed(url: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed copy begins at the end of its part."""
    part_of(here / "a").write_bytes(b"ab")

    assert await status(url, "get", "--resume", "a") == 0

    assert capsys.readouterr().err == "a: 60 % of 3 bytes\na: 100 % of 3 bytes\n"
    assert names(here) == ["a", "folder", "mine"]


def test_a_terminal_gets_a_bar() -> None:
    """A terminal gets a progress bar that is full in the end."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100)
    with shown("big [1].iso", console) as progress:
        progress(0, 3 * 2**20)
        progress(3 * 2**20, 3 * 2**20)

    last = terminal.getvalue().rpartition("\r")[2]
    assert "big [1].iso" in last
    assert "3.0/3.0 MiB" in last


def test_lines_are_few() -> None:
    """Progress without a terminal takes at most eleven lines."""
    lines = io.StringIO()
    console = Console(file=lines)
    with shown("big", console) as progress:
        for done in range(1001):
            progress(done, 1000)
    with shown("empty", console) as progress:
        progress(0, 0)

    tenths = [f"big: {each} % of 1000 bytes" for each in range(0, 101, 10)]
    assert lines.getvalue().splitlines() == [*tenths, "empty: 100 % of 0 bytes"]


@pytest.mark.parametrize("command", [[], ["ws://127.0.0.1:1"], ["ws://127.0.0.1:1", "rm", "a"]])
def test_an_invalid_command_exits_with_2(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid command exits with status 2."""
    with pytest.raises(SystemExit) as caught:
        client.main(command)

    assert caught.value.code == 2
    assert "usage: files" in capsys.readouterr().err
