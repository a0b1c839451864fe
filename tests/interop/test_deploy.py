"""The program, the unit and the nginx configuration of the page on deploying work together."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, RejectConnection, Request, TextMessage

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent.parent

NAME = "market.example.com"

MARKET = '''
from farcall import current_call, service


@service
class Market:
    """Tells a caller its address, as the server sees it."""

    async def address(self) -> str:
        return current_call().connection.peer
'''


@pytest.fixture(autouse=True)
def _need_packages() -> None:
    """Need no npm package, unlike the other tests of this folder."""


def block_of_page(language: str) -> str:
    """Return the first block of the page in a language."""
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@contextmanager
def program(folder: Path, port: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program of the page on another port, until the end of the block."""
    (folder / "market.py").write_text(MARKET)
    (folder / "serve.py").write_text(block_of_page("python").replace("8765", port))
    with subprocess.Popen(
        [sys.executable, "serve.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Serving at ws://127.0.0.1:{port}\n"
            yield process
        finally:
            process.kill()


@contextmanager
def nginx(folder: Path, port: str, certificate: trustme.LeafCert, behind: str) -> Iterator[None]:
    """Run nginx with the configuration of the page and a certificate, on a port of its own."""
    pem = folder / "market.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    server = (
        block_of_page("nginx")
        .replace("listen 443", f"listen 127.0.0.1:{port}")
        .replace("8765", behind)
        .replace("/etc/ssl/market.pem", str(pem))
        .replace("/etc/ssl/market.key", str(pem))
    )
    temporary = "".join(
        f"{each}_temp_path {folder / each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder / 'nginx.pid'};\n"
        f"error_log stderr; events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


class Client:
    """A plain WebSocket client at 127.0.0.2, which asks for the server by its real name."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    async def handshake(self, origin: str) -> Event:
        """Connect as a page of `origin` does."""
        headers = [(b"Origin", origin.encode())]
        await self._send(Request(host=NAME, target="/", extra_headers=headers))
        return await self._next()

    async def call(self, method: str) -> Any:
        """Call a method and return its result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method}
        await self._send(TextMessage(json.dumps(request)))
        answer = await self._next()
        assert isinstance(answer, TextMessage)
        return json.loads(answer.data)["result"]

    async def _send(self, event: Event) -> None:
        await self._stream.send_all(self._connection.send(event))

    async def _next(self) -> Event:
        while not self._events:
            received = bytes(await self._stream.receive_some())
            self._connection.receive_data(received or None)
            self._events += self._connection.events()
        return self._events.pop(0)


@asynccontextmanager
async def connect(port: str, authority: trustme.CA) -> AsyncIterator[Client]:
    """Connect through nginx, as soon as it listens."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    while True:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", int(port), local_address="127.0.0.2")
            break
        except OSError:
            await trio.sleep(0.01)
    secure = trio.SSLStream(stream, trusted, server_hostname=NAME, https_compatible=True)
    async with secure:
        yield Client(secure)


@pytest.mark.requires("nginx")
async def test_a_service_behind_nginx(tmp_path: Path) -> None:
    """A client behind nginx has TLS, its own address, and the check of its page."""
    authority = trustme.CA()
    front, behind = free_port(), free_port()
    with ExitStack() as processes, trio.fail_after(PATIENCE):
        served = processes.enter_context(program(tmp_path, behind))
        processes.enter_context(nginx(tmp_path, front, authority.issue_cert(NAME), behind))

        async with connect(front, authority) as client:
            assert isinstance(await client.handshake(f"https://{NAME}"), AcceptConnection)
            assert await client.call("Market.address") == "127.0.0.2"

        async with connect(front, authority) as client:
            refusal = await client.handshake("https://evil.example")
            assert isinstance(refusal, RejectConnection)
            assert refusal.status_code == 403

        served.terminate()
        assert await trio.to_thread.run_sync(served.wait) == 0


@pytest.mark.requires("systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The unit of the page passes the check of systemd."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    unit = tmp_path / "market.service"
    unit.write_text(block_of_page("ini").replace("/srv/market", str(tmp_path)))

    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
