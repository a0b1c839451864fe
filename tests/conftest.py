"""Checks around every test: it leaves no thread or socket, and a missing tool skips or fails it.

Tasks need no check: pytest-trio ends a test together with its nursery.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from trio.testing import MockClock

# A busy machine may be slow; a slow example is not a fault of the code.
settings.register_profile("farcall", deadline=None)
settings.load_profile("farcall")


def require(tool: str) -> None:
    """Skip the test if `tool` is not installed.

    If the environment variable ``FARCALL_REQUIRE`` names the tool (``node,redis-server``), the test
    fails instead, so that a machine that should run every test cannot skip one.
    """
    if shutil.which(tool) is not None:
        return
    if tool in os.environ.get("FARCALL_REQUIRE", "").split(","):
        pytest.fail(f"FARCALL_REQUIRE asks for {tool}, which is not installed")
    pytest.skip(f"{tool} is not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test with ``@pytest.mark.requires("node")`` as `require` does."""
    for mark in item.iter_markers("requires"):
        for tool in mark.args:
            require(tool)


@pytest.fixture
def running_clock() -> MockClock:
    """Return a clock that runs in real time and can be moved forward by `MockClock.jump`.

    It is for sockets, which have no virtual time: whatever has to happen before a limit has all the
    time that a busy machine takes, and the limit is reached when the test jumps to it.
    """
    return MockClock(rate=1)


@contextmanager
def no_leaks() -> Iterator[None]:
    """Fail if a thread is still at work, or a socket still open, that was not before."""
    threads, sockets = _busy_threads(), _open_sockets()

    yield

    assert _busy_threads() <= threads, "the test left a thread at work"
    assert _open_sockets() <= sockets, "the test left a socket open"


@pytest.fixture(autouse=True)
def _leak_check() -> Iterator[None]:
    with no_leaks():
        yield


def _busy_threads() -> set[threading.Thread]:
    # Trio keeps its workers for the next job; only a worker with a job is named after it.
    return {each for each in threading.enumerate() if not each.name.startswith("Trio thread ")}


def _open_sockets() -> set[int]:
    """Return the inodes of all sockets of this process, if the system shows them."""
    numbers = [int(entry.name) for entry in _DESCRIPTORS.glob("*")]
    return {inode for number in numbers if (inode := _socket_inode(number)) is not None}


_DESCRIPTORS = Path("/dev/fd")


def _socket_inode(number: int) -> int | None:
    try:
        status = os.fstat(number)
    except OSError:  # the descriptor of the listing itself
        return None
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else None
