"""`run`: a whole program that serves until a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import farcall
from farcall import service
from tests.patience import PATIENCE
from tests.program import Program, open_program

SERVICE = """
import sys
from contextlib import asynccontextmanager

import trio

import farcall


@farcall.service(name="")
class Echo:
    async def say(self, text: str) -> str:
        return text

    async def read(self) -> str:
        print("a call reads", flush=True)
        return await trio.to_thread.run_sync(sys.stdin.readline)

    async def hang(self) -> None:
        print("a call hangs", flush=True)
        try:
            await trio.sleep_forever()
        finally:
            print("the call has ended", flush=True)


@asynccontextmanager
async def slow():
    print("preparing", flush=True)
    try:
        await trio.sleep_forever()
        yield
    finally:
        print("cleaned up", flush=True)


@asynccontextmanager
async def nursery():
    async with trio.open_nursery() as nursery:
        yield nursery
"""

RUN = """
farcall.run(farcall.App(Echo()), 0)
print("after run")
"""

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@asynccontextmanager
async def running(folder: Path, text: str = RUN) -> AsyncGenerator[Program, None]:
    path = folder / "program.py"
    path.write_text(SERVICE + text)
    async with open_program([path]) as program:
        yield program


async def wait_for_drain(session: farcall.Session) -> None:
    """Call until the server refuses new calls."""

    async def keep_calling() -> None:
        while True:
            await session.call("say", "still there?")

    with pytest.raises(farcall.ShuttingDown):
        await keep_calling()


@SIGNALS
async def test_a_signal_drains(tmp_path: Path, number: int) -> None:
    """A signal lets a running call end; then `run` returns, and the status is 0."""
    results: list[object] = []

    async def read(session: farcall.Session) -> None:
        results.append(await session.call("read"))

    async with running(tmp_path) as program, farcall.connect(await program.url()) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, session)
            await program.said("a call reads")
            program.send(number)
            await wait_for_drain(session)
            await program.write("done\n")
        assert await program.status() == 0

    assert results == ["done\n"]
    assert program.out.splitlines()[1:] == ["a call reads", "after run"]
    assert "Traceback" not in program.errors


@SIGNALS
async def test_a_second_signal_cuts_it_short(tmp_path: Path, number: int) -> None:
    """A second signal cancels running calls; the status is 128 and its number, in one line."""

    async def hang(session: farcall.Session) -> None:
        with pytest.raises(farcall.ConnectionLost):
            await session.call("hang")

    text = "farcall.run(Echo(), 0, lifespan=nursery)"
    async with running(tmp_path, text) as program, farcall.connect(await program.url()) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hang, session)
            await program.said("a call hangs")
            program.send(signal.SIGTERM)
            await wait_for_drain(session)
            program.send(number)
            assert await program.status() == 128 + number

    assert program.out.splitlines()[1:] == ["a call hangs", "the call has ended"]
    assert program.errors == "Running calls may end; another signal cuts them short\n"


@SIGNALS
async def test_a_third_signal_ends_what_cannot_be_cancelled(tmp_path: Path, number: int) -> None:
    """A thread that hangs keeps the program alive until a third signal, which kills it."""

    async def read(session: farcall.Session) -> None:
        with pytest.raises(farcall.ConnectionLost):
            await session.call("read")

    text = "farcall.run(Echo(), 0, lifespan=nursery)"
    async with running(tmp_path, text) as program, farcall.connect(await program.url()) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, session)
            await program.said("a call reads")
            program.send(signal.SIGTERM)
            await wait_for_drain(session)
            program.send(signal.SIGTERM)
        program.send(number)
        assert await program.status() == -number


async def test_a_signal_before_it_listens_ends_it(tmp_path: Path) -> None:
    """A signal while the lifespan is entered cancels that, and nothing is served."""
    async with running(tmp_path, "farcall.run(Echo(), 0, lifespan=slow)") as program:
        await program.said("preparing")
        program.send(signal.SIGTERM)
        assert await program.status() == 0

    assert program.out == "preparing\ncleaned up\n"
    assert program.errors == ""


async def test_it_prints_one_line_with_its_urls(tmp_path: Path) -> None:
    """Standard output has one line with each URL."""
    text = f"farcall.run(Echo(), 0, unix={str(tmp_path / 'a.sock')!r})"
    async with running(tmp_path, text) as program:
        url = await program.url()
        program.send(signal.SIGTERM)
        await program.status()

    assert program.out == f"Serving at {url}, ws+unix://{tmp_path}/a.sock\n"


async def test_nohup_keeps_it_from_sighup(tmp_path: Path) -> None:
    """A program that was started with SIGHUP ignored goes on at SIGHUP."""
    text = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + RUN
    async with running(tmp_path, text) as program, farcall.connect(await program.url()) as session:
        program.send(signal.SIGHUP)
        assert await session.call("say", "still there?") == "still there?"


def test_a_closed_terminal_drains(tmp_path: Path) -> None:
    """A server whose terminal closes drains, although it can print no more."""
    path = tmp_path / "program.py"
    text = "import logging; logging.basicConfig(level=logging.INFO)\nfarcall.run(Echo(), 0)"
    path.write_text(f"{SERVICE}\n{text}")
    outer, inner = os.openpty()
    process = subprocess.Popen(
        [sys.executable, path], stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    )
    os.close(inner)
    shown = b""
    while not (b"Serving at" in shown and shown.endswith(b"\n")):
        shown += os.read(outer, 1000)
    os.close(outer)
    process.send_signal(signal.SIGHUP)

    assert process.wait(PATIENCE) == 0


async def test_an_error_leaves_run_unchanged(tmp_path: Path) -> None:
    """A port in use raises OSError out of `run`, without a group around it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = f"""
try:
    farcall.run(Echo(), {taken.getsockname()[1]}, lifespan=None)
except OSError as error:
    print("caught:", error)
"""
        async with running(tmp_path, text) as program:
            assert await program.status() == 0

    assert program.out.startswith("caught: ")
    assert "the port is in use" in program.out


@service
class Shop:
    async def price(self) -> int:
        return 1


def start() -> None:
    farcall.run(Shop(), 0)


async def test_in_trio_it_says_what_to_write() -> None:
    """`run` in a Trio program raises, and names `open_server`."""
    with pytest.raises(RuntimeError, match=r"starts Trio, which runs already: write `async with"):
        start()


def test_in_asyncio_it_says_what_to_write() -> None:
    """`run` in asyncio raises."""

    async def main() -> None:
        start()

    with pytest.raises(RuntimeError, match=r"this is asyncio: call it outside of asyncio"):
        asyncio.run(main())


def test_in_another_thread_it_says_what_to_write() -> None:
    """`run` in another thread than the main one raises, for only that one gets signals."""
    said: list[str] = []

    def main() -> None:
        with pytest.raises(RuntimeError) as caught:
            start()
        said.append(str(caught.value))

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()

    assert said[0].startswith("farcall.run receives signals, which only the main thread can")
