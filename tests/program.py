"""A program that serves, in a process of its own: what it prints, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from tests.patience import PATIENCE


@attrs.define
class Program:
    """A process, with what it has printed so far."""

    process: trio.Process
    out: str = ""
    errors: str = ""

    async def url(self) -> str:
        """Wait until it serves; return its first URL."""
        line = await self.said("Serving at ")
        return line.removeprefix("Serving at ").split(",")[0].strip()

    async def said(self, words: str) -> str:
        """Wait for a line of standard output with these words."""
        while words not in self.out or not self.out.endswith("\n"):
            assert self.process.stdout is not None
            more = await self.process.stdout.receive_some()
            assert more, f"it has ended without {words!r}: {self.out}"
            self.out += more.decode()
        return next(line for line in self.out.splitlines() if words in line)

    async def complained(self, words: str) -> None:
        """Wait for these words on standard error."""
        while words not in self.errors:
            assert self.process.stderr is not None
            more = await self.process.stderr.receive_some()
            assert more, f"it has ended without {words!r}: {self.errors}"
            self.errors += more.decode()

    async def write(self, text: str) -> None:
        """Write to standard input."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(text.encode())

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def status(self) -> int:
        """Wait for its end; return its status."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out += b"".join([each async for each in self.process.stdout]).decode()
        self.errors += b"".join([each async for each in self.process.stderr]).decode()
        return await self.process.wait()


@asynccontextmanager
async def open_program(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[Program, None]:
    """Run Python with these arguments, and kill it at the end of the block."""
    process = await trio.lowlevel.open_process(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    try:
        with trio.fail_after(PATIENCE):
            yield Program(process)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
