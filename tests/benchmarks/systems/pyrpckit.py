"""pyrpckit on FastAPI and uvicorn, with the client that it generates."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi
import uvicorn
from rpckit.codegen import render_python_client
from rpckit.codegen.options import PythonClientOptions
from rpckit.integrations.fastapi import create_router
from rpckit.schema.export import render_contract

from tests.benchmarks.asyncio_runtime import AsyncioRuntime
from tests.benchmarks.peer import Client, Options, Peer, rows
from tests.benchmarks.systems.pyrpckit_service import Quotes, service

BUFFERED = 1024
"""Values that wait in a client; with its default of 100 it drops some of each burst."""


def _generate() -> Any:
    """Write the package of the client, and import it."""
    contract = service.contract(title="Bench", base_url="ws://127.0.0.1")
    options = PythonClientOptions(package="bench_client", with_transport="websocket")
    files = render_python_client(json.loads(render_contract(contract)), options)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, "bench_client", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("bench_client")
        finally:
            sys.path.remove(folder)


async def serve(options: Options, listening: Callable[[int], None]) -> None:
    """Serve for ever, uncompressed as all others are."""
    application = fastapi.FastAPI()
    application.include_router(create_router(service, context=Quotes()))
    config = uvicorn.Config(
        application, log_level="error", ws="websockets-sansio", ws_per_message_deflate=False
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listening(listener.getsockname()[1])
        await uvicorn.Server(config).serve([listener])


generated = _generate()

RECORDS = [generated.Record(**row) for row in rows()]


class GeneratedClient(Client):
    """Leads to the generated client."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench

    async def add(self, left: int, right: int) -> int:
        """Add two numbers."""
        return int((await self._bench.add(left=left, right=right)).value)

    async def echo_text(self, text: str) -> str:
        """Get a text back."""
        return str((await self._bench.echo_text(value=text)).value)

    async def echo_records(self) -> int:
        """Get records back."""
        return len((await self._bench.echo_records(records=RECORDS)).records)

    async def emit(self, count: int) -> None:
        """Have values emitted."""
        await self._bench.emit(value=count)

    async def listen(self, started: Callable[[], None], received: Callable[[], None]) -> None:
        """Listen until cancelled; the server sends the event to every connection."""
        quotes = self._bench.quoted()
        await self.add(2, 3)
        started()
        async for _ in quotes:
            received()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    """Connect."""
    url = f"ws://127.0.0.1:{port}/rpc"
    async with generated.BenchClient.connect(url=url, notification_queue_size=BUFFERED) as client:
        yield GeneratedClient(client.bench)


PEER = Peer(AsyncioRuntime(), serve, connect)
