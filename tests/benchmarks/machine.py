"""Where a run is made: the machine, and the versions of what is compared."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.benchmarks.results import Machine
from tests.benchmarks.systems.registry import NODE, SYSTEMS

PACKAGES = (
    "trio",
    "trio-websocket",
    "wsproto",
    "msgspec",
    "attrs",
    "cattrs",
    "websockets",
    "uvloop",
    "grpcio",
    "protobuf",
    "python-socketio",
    "aiohttp",
)


_PYRPCKIT = """
import importlib.metadata, platform
print(importlib.metadata.version("pyrpckit"), "on Python", platform.python_version())
"""


def this_machine() -> Machine:
    """Describe it."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        versions=dict(_versions()),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _versions() -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if SYSTEMS["npm"].missing() is None:
        yield "Node", _said("node", "--version").lstrip("v")
        yield "rpc-websockets", _npm_version()
    if SYSTEMS["pyrpckit"].missing() is None:
        yield "pyrpckit", _said(*SYSTEMS["pyrpckit"].python, "-c", _PYRPCKIT)


def _npm_version() -> str:
    package = NODE / "node_modules" / "rpc-websockets" / "package.json"
    described: Mapping[str, str] = json.loads(package.read_text("utf-8"))
    return described["version"]


def _said(*command: str) -> str:
    program = shutil.which(command[0]) or command[0]
    found = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True)
    return found.stdout.strip()
