"""The server and the client of a system as processes, from their parent's side."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import attrs
import trio

from tests.benchmarks.loads import Order
from tests.benchmarks.systems.registry import System

ROOT = Path(__file__).parent.parent.parent

START_SECONDS = 30.0
"""A process that says nothing for so long has failed."""

OPEN_SECONDS = 180.0
"""The same while thousands of connections are opened, or closed."""


class Failed(Exception):
    """A system did not get through a measurement."""


class Process:
    """A child that is told lines of JSON, and answers with lines of JSON."""

    def __init__(self, process: trio.Process, errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._rest = b""

    async def ask(self, line: dict[str, Any], seconds: float = START_SECONDS) -> dict[str, Any]:
        """Say a line, and wait for the one that answers it."""
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(json.dumps(line).encode() + b"\n")
        except trio.BrokenResourceError as error:
            raise Failed(self._last_words()) from error
        return await self.hear(seconds)

    async def hear(self, seconds: float = START_SECONDS) -> dict[str, Any]:
        """Wait for a line."""
        assert self._process.stdout is not None
        with trio.move_on_after(seconds):
            while b"\n" not in self._rest:
                more = await self._process.stdout.receive_some()
                if not more:
                    raise Failed(self._last_words())
                self._rest += more
            text, _, self._rest = self._rest.partition(b"\n")
            heard: dict[str, Any] = json.loads(text)
            if "failed" in heard:
                raise Failed(heard["failed"])
            return heard
        raise Failed(f"it said nothing for {seconds:g} s")

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended"


@asynccontextmanager
async def run(command: Sequence[str]) -> AsyncIterator[Process]:
    """Run a child until the end of the block."""
    with tempfile.TemporaryFile() as errors:
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
        )
        try:
            yield Process(process, errors)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


@attrs.frozen
class Usage:
    """What a process has used so far."""

    cpu: float
    """Seconds of CPU time, user and system, before it collected its garbage."""
    cpu_after: float
    """The same after that."""
    memory: float
    """Bytes that are resident."""


@attrs.frozen
class Pair:
    """A server and a client of it."""

    server: Process
    client: Process

    async def server_usage(self) -> Usage:
        """Ask the server."""
        return Usage(**await self.server.ask({"usage": True}))

    async def open(self, order: Order) -> None:
        """Have the client open what the order needs."""
        await self.client.ask(vars(order), OPEN_SECONDS)

    async def measure(self, order: Order) -> dict[str, Any]:
        """Have the client begin, and wait for what it found."""
        return await self.client.ask({"begin": True}, OPEN_SECONDS + 5 * order.seconds)

    async def close(self) -> None:
        """Have the client close what it has opened."""
        await self.client.ask({"close": True}, OPEN_SECONDS)


@asynccontextmanager
async def pair(system: System, message: int) -> AsyncIterator[Pair]:
    """Run a server of a system, and a client of it."""
    async with run([*system.server, str(message)]) as server:
        port = (await server.hear())["port"]
        async with run([*system.client, str(port)]) as client:
            yield Pair(server, client)
