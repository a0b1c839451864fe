"""The systems: which code is their server and client, what it needs, what it offers."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import attrs

Operation = Literal[
    "add", "echo_text", "echo_records", "listen", "count", "give", "connect", "idle", "import"
]

NODE = Path(__file__).parent.parent / "node"

CALLS: frozenset[Operation] = frozenset({"add", "echo_text", "echo_records", "connect", "idle"})
PYTHON: frozenset[Operation] = frozenset({"import"})
STREAMS: frozenset[Operation] = frozenset({"count", "give"})
SIGNALS: frozenset[Operation] = frozenset({"listen"})

Command = Sequence[str]


@attrs.frozen
class System:
    """One of those that are compared."""

    name: str
    title: str
    offers: frozenset[Operation]
    server: Command
    """What runs a server; the largest message to take follows, or 0."""
    client: Command
    """What runs a client; the port follows."""
    missing: Callable[[], str | None]
    """Tell what to install, or None."""
    imports: str = ""
    """The statement of S10, for a system in Python."""
    python: Command = (sys.executable,)
    """What runs that statement."""


def _child(module: str, variant: str, python: str) -> tuple[Command, Command]:
    child = (python, "-m", "tests.benchmarks.child", module)
    return (*child, "serve", variant), (*child, "connect")


def _python(
    name: str,
    title: str,
    module: str,
    offers: frozenset[Operation],
    *,
    needs: Sequence[str] = (),
    imports: str = "",
    variant: str = "",
) -> System:
    """Make a system whose ends are Python, in this environment."""
    server, client = _child(module, variant, sys.executable)

    def missing() -> str | None:
        lacks = [each for each in needs if importlib.util.find_spec(each) is None]
        return f"pip install 'farcall[bench]' (no {', '.join(lacks)})" if lacks else None

    return System(name, title, offers, server, client, missing, imports)


def _npm_missing() -> str | None:
    if shutil.which("node") is None:
        return "install Node.js, then npm ci --prefix tests/benchmarks/node --ignore-scripts"
    if not (NODE / "node_modules").is_dir():
        return "npm ci --prefix tests/benchmarks/node --ignore-scripts"
    return None


def _npm() -> System:
    node = ("node", "--expose-gc")
    server, client = (*node, str(NODE / "server.cjs")), (*node, str(NODE / "client.cjs"))
    return System("npm", "rpc-websockets on Node", CALLS | SIGNALS, server, client, _npm_missing)


PYRPCKIT_PYTHON = "PYRPCKIT_PYTHON"
"""The variable that names a Python of 3.12 or later which has pyrpckit, where this one is older."""


def _pyrpckit() -> System:
    python = os.environ.get(PYRPCKIT_PYTHON, sys.executable)
    server, client = _child("pyrpckit", "", python)

    def missing() -> str | None:
        find = "import rpckit.codegen, jinja2, fastapi, uvicorn, websockets"
        if subprocess.run([python, "-c", find], capture_output=True, check=False).returncode == 0:
            return None
        packages = "'pyrpckit[codegen,fastapi]' uvicorn websockets"
        return f"pip install {packages} for a Python 3.12, and name it in {PYRPCKIT_PYTHON}"

    offers = CALLS | PYTHON | SIGNALS
    imports = "import rpckit, fastapi, uvicorn, websockets"
    return System("pyrpckit", "pyrpckit", offers, server, client, missing, imports, (python,))


def _all() -> Sequence[System]:
    everything = CALLS | PYTHON | STREAMS | SIGNALS
    farcall = "from farcall import *"  # `import farcall` alone loads next to nothing
    return (
        _python("farcall", "farcall, `def`", "farcall_stub", everything, imports=farcall),
        _python(
            "farcall-async",
            "farcall, `async def`",
            "farcall_stub",
            everything,
            variant="async",
            imports=farcall,
        ),
        _python("floor", "floor", "floor", everything - {"echo_records", "give", "import"}),
        _npm(),
        _python(
            "websockets",
            "websockets + uvloop",
            "by_hand",
            everything,
            needs=("websockets", "uvloop", "msgspec"),
            imports="import uvloop, websockets.asyncio.server, websockets.asyncio.client, msgspec",
        ),
        _python(
            "grpc",
            "grpc.aio",
            "grpc_aio",
            everything,
            needs=("grpc", "grpc_tools"),
            imports="import grpc.aio",
        ),
        _python(
            "socketio",
            "python-socketio",
            "socket_io",
            CALLS | PYTHON | SIGNALS,
            needs=("socketio", "aiohttp"),
            imports="import socketio, aiohttp.web",
        ),
        _pyrpckit(),
        _python(
            "bare",
            "trio-websocket alone",
            "bare",
            frozenset({"connect", "import"}),
            imports="import trio, trio_websocket",
        ),
    )


def before(source: str) -> Sequence[System]:
    """Give farcall as it is in another checkout, whose ``src`` is named."""
    path = ("env", f"PYTHONPATH={source}")
    return [
        attrs.evolve(
            system,
            name=system.name.replace("farcall", "before"),
            title=system.title.replace("farcall", "farcall before"),
            server=(*path, *system.server),
            client=(*path, *system.client),
            python=(*path, *system.python),
        )
        for system in (SYSTEMS["farcall"], SYSTEMS["farcall-async"])
    ]


SYSTEMS = {system.name: system for system in _all()}
