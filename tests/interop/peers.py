"""Programs with the npm package, as processes that speak JSON lines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from tests.patience import PATIENCE

HERE = Path(__file__).parent
VERSIONS = ("rpc-websockets-9", "rpc-websockets-10")


class Peer:
    """A running program that reads commands and prints lines."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._lines = b""

    async def tell(self, command: dict[str, Any]) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps(command).encode() + b"\n")

    async def hear(self) -> Any:
        """Wait for the next line."""
        assert self._process.stdout is not None
        while b"\n" not in self._lines:
            more = await self._process.stdout.receive_some()
            assert more, "the program ended"
            self._lines += more
        line, _, self._lines = self._lines.partition(b"\n")
        return json.loads(line)

    async def ask(self, command: dict[str, Any]) -> Any:
        """Send a command and wait for the next line."""
        await self.tell(command)
        return await self.hear()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()


@asynccontextmanager
async def run_peer(program: str, version: str, *args: str) -> AsyncIterator[Peer]:
    """Run a program of this folder with the package of `version`, for 30 s at most."""
    command = ["node", program, version, *args]
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(_run, command)
            try:
                yield Peer(process)
            finally:
                process.kill()
                nursery.cancel_scope.cancel()


async def _run(command: list[str], *, task_status: trio.TaskStatus[trio.Process]) -> None:
    await trio.run_process(
        command,
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        check=False,
        task_status=task_status,
    )
